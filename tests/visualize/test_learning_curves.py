import math
import warnings

import pytest
from PIL import Image

from keraudio.errors import KeraudioError
from keraudio.visualize.learning_curves import read_metrics, save_learning_curves

HEADER = "epoch,accuracy,learning_rate,loss,val_accuracy,val_loss\n"
ROWS = "0,0.2,0.001,3.0,0.25,2.5\n1,0.4,0.001,2.0,0.5,2.0\n2,0.6,0.0005,1.0,0.45,2.25\n"


@pytest.fixture
def metrics(tmp_path):
    def write(text, **options):
        path = tmp_path / "metrics.csv"
        path.write_text(text, **options)
        return path

    return write


def panels(monkeypatch, path, **options):
    caught = []
    monkeypatch.setattr("keraudio.visualize.learning_curves.save_figure", lambda figure, out: caught.append(figure))
    save_learning_curves(path, "unused.png", **options)
    return {axes.get_ylabel(): axes for axes in caught[0].axes}


def curve(axes, part):
    line = next(line for line in axes.lines if line.get_label().split(",")[0] == part)
    return list(line.get_xdata()), list(line.get_ydata())


def test_each_metric_has_a_panel_with_train_and_valid_the_loss_first(monkeypatch, metrics):
    drawn = panels(monkeypatch, metrics(HEADER + ROWS))
    assert list(drawn) == ["loss", "accuracy", "learning rate"]
    assert curve(drawn["loss"], "train") == ([0, 1, 2], [3.0, 2.0, 1.0])
    assert curve(drawn["loss"], "valid") == ([0, 1, 2], [2.5, 2.0, 2.25])
    assert curve(drawn["accuracy"], "valid") == ([0, 1, 2], [0.25, 0.5, 0.45])
    assert {axes.get_xlabel() for axes in drawn.values()} == {"epoch"}


def test_the_best_valid_epoch_is_the_lowest_loss_and_the_highest_accuracy(monkeypatch, metrics):
    drawn = panels(monkeypatch, metrics(HEADER + ROWS))
    legends = {
        name: [text.get_text() for text in drawn[name].get_legend().get_texts()] for name in ("loss", "accuracy")
    }
    assert legends == {"loss": ["train", "valid, best 2 at 1"], "accuracy": ["train", "valid, best 0.5 at 1"]}


def test_a_metric_of_unknown_direction_has_no_best_epoch(monkeypatch, metrics):
    drawn = panels(monkeypatch, metrics("epoch,val_oddity\n0,1\n1,2\n"))
    assert [text.get_text() for text in drawn["oddity"].get_legend().get_texts()] == ["valid"]


def test_a_constant_learning_rate_is_not_worth_a_panel(monkeypatch, metrics):
    assert list(panels(monkeypatch, metrics("epoch,learning_rate,loss\n0,0.1,2\n1,0.1,1\n"))) == ["loss"]


def test_one_epoch_without_validation_is_drawn_without_warnings(tmp_path, metrics):
    path = metrics("epoch,loss\n0,2.5\n")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        save_learning_curves(path, tmp_path / "curves.png")
    with Image.open(tmp_path / "curves.png") as picture:
        assert picture.info["dpi"] == pytest.approx((120, 120), abs=0.03)  # PNG stores whole dots per metre


def test_one_epoch_has_one_tick(monkeypatch, metrics):
    assert list(panels(monkeypatch, metrics("epoch,loss\n7,2.5\n"))["loss"].get_xticks()) == [7]


def test_the_loss_may_stand_on_a_logarithmic_axis(monkeypatch, metrics):
    path = metrics(HEADER + ROWS)
    assert panels(monkeypatch, path)["loss"].get_yscale() == "linear"
    drawn = panels(monkeypatch, path, log_loss=True)
    assert (drawn["loss"].get_yscale(), drawn["accuracy"].get_yscale()) == ("log", "linear")


@pytest.mark.parametrize("count", [1, 2, 3, 4, 7])
def test_any_number_of_metrics_has_room(tmp_path, metrics, count):
    names = [f"metric_$_{index}" for index in range(count)]
    path = metrics(f"epoch,{','.join(names)}\n" + "".join(f"{epoch}{',0.5' * count}\n" for epoch in range(3)))
    save_learning_curves(path, tmp_path / "curves.png", title="run $1")
    assert (tmp_path / "curves.png").exists()


def test_what_is_no_number_is_nan_and_columns_without_numbers_are_dropped(metrics):
    epochs, columns = read_metrics(metrics("epoch,loss,note,val_loss\n0,1.5,NA,\n1,inf,x,2\n2\n", encoding="utf-8-sig"))
    assert epochs == [0, 1, 2]
    assert list(columns) == ["loss", "val_loss"]
    assert columns["loss"][:2] == [1.5, math.inf]
    assert math.isnan(columns["loss"][2])
    assert math.isnan(columns["val_loss"][0])


def test_epochs_that_a_resumed_run_repeats_count_once_the_last_time(metrics):
    path = metrics("epoch,loss\n0,3\n1,2\n2,9\nepoch,loss\n1,1.5\n2,1\n")
    assert read_metrics(path) == ([0, 1, 2], {"loss": [3.0, 1.5, 1.0]})


def test_a_file_that_keras_wrote_is_read(tmp_path, monkeypatch, metrics):
    import numpy as np
    from keras import Sequential, callbacks, layers

    model = Sequential([layers.Input((2,)), layers.Dense(1)])
    model.compile("sgd", "mse", metrics=["mae"])
    data = np.ones((4, 2)), np.ones((4, 1))
    path = tmp_path / "log.csv"
    model.fit(*data, validation_data=data, epochs=2, verbose=0, callbacks=[callbacks.CSVLogger(str(path))])
    epochs, columns = read_metrics(path)
    assert epochs == [0, 1]
    assert {"loss", "mae", "val_loss", "val_mae"} <= set(columns)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "column epoch"),
        ("step,loss\n1,2\n", "column epoch"),
        ("epoch,loss\n", "at least one epoch"),
        ("epoch\n0\n", "a metric beside the epoch"),
        ("epoch,loss\n0,NA\n", "a metric beside the epoch"),
    ],
)
def test_a_file_without_curves_is_refused_in_one_line(tmp_path, metrics, text, message):
    with pytest.raises(KeraudioError, match=message) as caught:
        save_learning_curves(metrics(text), tmp_path / "curves.png")
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "curves.png").exists()


def test_a_missing_and_a_binary_file_are_refused(tmp_path):
    with pytest.raises(KeraudioError, match="No such file"):
        read_metrics(tmp_path / "missing.csv")
    (tmp_path / "binary.csv").write_bytes(b"\xff\xfe\x00\x81")
    with pytest.raises(KeraudioError, match="UTF-8"):
        read_metrics(tmp_path / "binary.csv")
