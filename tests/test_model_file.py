"""Files from strangers: each is refused with `ModelFileError`, and nothing in it runs."""

import io
import json
import pickle
import random
import shutil
import stat
import subprocess
import zipfile
from collections.abc import Callable
from pathlib import Path

import h5py
import keras
import numpy as np
import pytest
from small_classifier import DESCRIPTION, small_classifier, waveforms

from keraudio import ModelFileError, describe, load, save
from keraudio.model_file import LARGEST_CONFIG, check_model_file

WEIGHTS = "model.weights.h5"


@pytest.fixture(scope="module")
def good(tmp_path_factory) -> Path:
    path = tmp_path_factory.mktemp("good") / "good.keras"
    save(small_classifier(), path)
    return path


@pytest.fixture
def members(good) -> dict[str, bytes]:
    """Contents of a good file, to be changed."""
    with zipfile.ZipFile(good) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


@pytest.fixture
def config(members) -> dict:
    return json.loads(members["config.json"])


@pytest.fixture
def write(tmp_path, members) -> Callable[..., Path]:
    def write_file(config: object = None, **changes: bytes) -> Path:
        """The good file with another config or other members (`None` leaves one out)."""
        path = tmp_path / "bad.keras"
        if config is not None:
            changes["config.json"] = json.dumps(config).encode()
        with zipfile.ZipFile(path, "w") as archive:
            for name, content in {**members, **changes}.items():
                if content is not None:
                    archive.writestr(name, content)
        return path

    return write_file


@pytest.fixture(autouse=True)
def nothing_runs(monkeypatch) -> None:
    """The usual ways for a file to do harm end the test."""

    def run(*arguments, **options):
        pytest.fail(f"a model file ran {arguments}")

    for module, name in ((pickle, "loads"), (pickle, "load"), (subprocess, "Popen")):
        monkeypatch.setattr(module, name, run)
    monkeypatch.setattr("os.system", run)
    monkeypatch.setattr("builtins.eval", run)


def refused(path: Path, reason: str) -> None:
    """Both the check and loading refuse the file, for the same reason, in one line that begins with its path."""
    for read in (check_model_file, load):
        with pytest.raises(ModelFileError, match=reason) as caught:
            read(path)
        assert str(caught.value).startswith(f"{path}: ")
        assert "\n" not in str(caught.value)


def insert(config: dict, item: dict) -> dict:
    """The config with one more layer in its augmentation, whose building is the first thing that happens."""
    config["config"]["waveform_augmentation"] = [item]
    return config


def layer(
    class_name: str, module: str | None = "keras.layers", registered: str | None = None, **options: object
) -> dict:
    return {"module": module, "class_name": class_name, "config": options, "registered_name": registered}


def test_a_good_file_passes_and_says_what_it_is(good) -> None:
    description = check_model_file(good)
    assert description.model_dump(mode="json") == describe(load(good)).model_dump(mode="json")
    assert description.labels == tuple(DESCRIPTION["labels"])


@pytest.mark.parametrize(
    "item",
    [
        layer("Lambda", function={"class_name": "__lambda__", "config": {"code": "4wAAAA=="}}),
        layer("Lambda", module=None),
        layer("Lambda", module="keras.src.layers.core.lambda_layer"),
        {"class_name": "__lambda__", "config": {"value": "4wAAAA=="}},
        layer("TFSMLayer", filepath="/tmp/model"),
        layer("TorchModuleWrapper", module="keras.src.utils.torch_utils"),
        layer("JaxLayer"),
        layer("Whatever", registered="keras>Lambda"),
    ],
)
def test_layers_that_run_foreign_code_are_refused(item, write, config) -> None:
    refused(write(insert(config, item)), "layers that run foreign code are refused|only classes of keras")


@pytest.mark.parametrize(
    ("module", "name"),
    [
        ("os", "system"),
        ("posix", "system"),
        ("subprocess", "Popen"),
        ("builtins.__import__", "os"),
        ("keras.utils", "get_file"),
        ("keras.saving", "load_model"),
        ("keras.config", "enable_unsafe_deserialization"),
        ("keras.src.saving.serialization_lib", "enable_unsafe_deserialization"),
        ("keras.src.utils.file_utils", "get_file"),
        ("kerasx.layers", "Dense"),
        ("keras_hub_evil", "Backbone"),
        ("keraudio_evil.layers", "STFT"),
        ("tests.evil", "Layer"),
    ],
)
@pytest.mark.parametrize("kind", ["class", "function"])
def test_modules_outside_the_list_are_refused(module, name, kind, write, config) -> None:
    item = layer(name, module) if kind == "class" else {**layer("function", module), "config": name}
    refused(
        write(insert(config, item)), f"only classes of keras, keras_hub and keraudio may be built. Received: {module}."
    )


def test_registered_names_of_other_packages_are_refused(write, config) -> None:
    refused(write(insert(config, layer("Evil", None, "evil>Evil"))), "may be built. Received: evil>Evil")


def test_a_foreign_class_is_found_at_any_depth(write, config) -> None:
    item: dict = {"module": "os", "class_name": "system", "config": {}}
    for _ in range(50):
        item = {"x": [0, {"y": item}]}
    config["config"]["backbone"]["config"]["extra"] = item
    refused(write(config), "only classes of keras")


@pytest.mark.parametrize(
    "item",
    [
        layer("BytePairTokenizer", "keras_hub.tokenizers", vocabulary="/etc/passwd", merges=[]),
        layer("Tokenizer", None, "keras_hub>Tokenizer"),
        layer("ResNetImageConverter", "keras_hub.layers"),
        layer("ImageClassifier", "keras_hub.src.models.image_classifier"),
    ],
)
def test_of_keras_hub_only_backbones_may_be_built(item, write, config) -> None:
    refused(write(insert(config, item)), "of keras_hub only backbones may be built. Received: ")


def test_vocabularies_in_files_are_not_read(write, config, tmp_path) -> None:
    # Keras' own safe mode answers here (CVE-2025-12058).
    (tmp_path / "secret").write_text("a\nb\n")
    item = layer("StringLookup", vocabulary=str(tmp_path / "secret"))
    with pytest.raises(ModelFileError, match="the model cannot be built from its file"):
        load(write(insert(config, item)))


@pytest.mark.parametrize("api", ["load_model", "model_from_json"])
def test_functions_of_keras_that_load_files_are_not_given_out(api, write, config) -> None:
    item = layer("Activation", activation={**layer("function", "keras.models"), "config": api})
    with pytest.raises(ModelFileError, match="the model cannot be built from its file"):
        load(write(insert(config, item)))


@pytest.mark.parametrize(
    "name", ["../evil.txt", "/tmp/evil.txt", "assets/../../evil", "C:/evil", "..\\evil", "\\evil", ".", "/"]
)
def test_members_that_escape_the_folder_are_refused(name, write, tmp_path) -> None:
    refused(write(**{name: b"evil"}), "members must stay inside the archive")
    assert not list(tmp_path.rglob("evil*"))


def test_a_member_that_is_a_symbolic_link_is_refused(write) -> None:
    path = write()
    link = zipfile.ZipInfo("assets/link")
    link.create_system = 3
    link.external_attr = (stat.S_IFLNK | 0o777) << 16
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr(link, "/etc/passwd")
    refused(path, "members must stay inside the archive. Received: 'assets/link'")


@pytest.mark.parametrize("name", ["evil.py", "model.weights.npz", "config.json.bak", "Config.json"])
def test_unknown_members_are_refused(name, write) -> None:
    refused(write(**{name: b"evil"}), "unknown member in the archive")


@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_two_members_of_one_name_are_refused(write, members) -> None:
    path = write()
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr("config.json", members["config.json"])
    refused(path, "members must differ in name")


@pytest.mark.parametrize("name", ["config.json", "metadata.json", WEIGHTS])
def test_a_missing_member_is_named(name, write) -> None:
    refused(write(**{name: None}), f"not a whole .keras archive: {name} is missing")


@pytest.mark.parametrize("share", [0.0, 0.1, 0.5, 0.99])
def test_a_truncated_file_is_refused(share, good, tmp_path) -> None:
    path = tmp_path / "short.keras"
    path.write_bytes(good.read_bytes()[: int(share * good.stat().st_size)])
    refused(path, "not a whole .keras archive: ")


@pytest.mark.parametrize(
    "content", [b"", b"garbage" * 100, b"PK\x03\x04" + bytes(100), b"\x89HDF\r\n\x1a\n" + bytes(2048)]
)
def test_what_is_no_archive_is_refused(content, tmp_path) -> None:
    path = tmp_path / "bad.keras"
    path.write_bytes(content)
    refused(path, "not a whole .keras archive: ")


def test_a_pickle_is_refused_and_not_opened(tmp_path) -> None:
    path = tmp_path / "bad.keras"
    path.write_bytes(pickle.dumps({"a": 1}))
    refused(path, "not a whole .keras archive: ")


def test_an_h5_model_is_refused_under_either_name(tmp_path) -> None:
    for name, reason in (("m.h5", "must end in .keras"), ("m.keras", "not a whole .keras archive")):
        with h5py.File(tmp_path / name, "w") as file:
            file.attrs["model_config"] = "{}"
        refused(tmp_path / name, reason)


def test_a_missing_file_and_a_folder_are_refused(tmp_path) -> None:
    refused(tmp_path / "none.keras", "no such file")
    (tmp_path / "folder.keras").mkdir()
    refused(tmp_path / "folder.keras", "no such file")


def test_a_huge_config_is_refused_unread(write, tmp_path) -> None:
    path = tmp_path / "huge.keras"
    with zipfile.ZipFile(write()) as old, zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as new:
        for name in old.namelist():
            if name != "config.json":
                new.writestr(name, old.read(name))
        with new.open("config.json", "w") as member:
            for _ in range(LARGEST_CONFIG // 2**20):
                member.write(b" " * 2**20)
            member.write(b"{}")
    refused(path, "config.json must be below")


@pytest.mark.parametrize("text", ["{", "", "[" * 100_000, '{"a": ' * 100_000, "1" * 5000, "\xff", '"\\ud800'])
def test_a_config_that_is_no_json_is_refused(text, write) -> None:
    refused(write(**{"config.json": text.encode("latin-1")}), "not a whole .keras archive: ")


@pytest.mark.parametrize("value", [None, 3, "text", [], {}, {"class_name": "Sequential"}, [[{"module": "keras"}]]])
def test_a_config_without_a_description_is_refused(value, write) -> None:
    refused(write(**{"config.json": json.dumps(value).encode()}), "a model file must describe its labels")


def test_a_plain_keras_model_is_refused(tmp_path) -> None:
    x = keras.Input((4,))
    keras.Model(x, keras.layers.Dense(2)(x)).save(tmp_path / "plain.keras")
    refused(tmp_path / "plain.keras", "a model file must describe its labels, sample rate and window")


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"labels": []}, "`labels`"),
        ({"window": 0}, "`window`"),
        ({"schema_version": 2}, "`schema_version`"),
        ({"temperature": float("inf")}, "`temperature`"),
        ({"surprise": 1}, "`surprise`"),
    ],
)
def test_a_description_that_breaks_its_schema_is_named(change, reason, write, config) -> None:
    config["config"]["description"].update(change)
    refused(write(config), f"the model's description breaks its schema: {reason}")


def test_a_second_description_that_differs_is_refused(write, config) -> None:
    item = layer("LabelProbabilities", "keraudio.layers.label_probabilities", "keraudio>LabelProbabilities")
    item["config"] = {"description": {**DESCRIPTION, "labels": ["x", "y", "z"]}}
    refused(write(insert(config, item)), "must describe itself once")


def test_another_number_of_labels_than_outputs_is_refused(write, config) -> None:
    config["config"]["description"].update(labels=["cat", "dog"], thresholds=None)
    with pytest.raises(ModelFileError, match="the model cannot be built from its file: "):
        load(write(config))


@pytest.mark.parametrize("wrap", [False, True])
def test_what_is_no_whole_model_is_refused(wrap, write) -> None:
    """The head alone, and a sequence that was never built: Keras builds both."""
    module = "keraudio.layers.label_probabilities"
    head = layer("LabelProbabilities", module, "keraudio>LabelProbabilities", description=DESCRIPTION)
    model = layer("Sequential", "keras", name="s", layers=[head]) if wrap else head
    with pytest.raises(ModelFileError):
        load(write(model))


def h5(fill: Callable[[h5py.File], object]) -> bytes:
    memory = io.BytesIO()
    with h5py.File(memory, "w") as file:
        fill(file)
    return memory.getvalue()


@pytest.mark.parametrize("place", ["link", "layers/logits/link"])
def test_weights_that_link_to_another_file_are_refused(place, write, tmp_path) -> None:
    def fill(file: h5py.File) -> None:
        file[place] = h5py.ExternalLink(str(tmp_path / "secret.h5"), "/")

    refused(write(**{WEIGHTS: h5(fill)}), "weights must lie inside the file. Received: a link to ")


def test_weights_stored_in_another_file_are_refused(write, tmp_path) -> None:
    (tmp_path / "secret").write_bytes(bytes(64))

    def external(file: h5py.File) -> None:
        file.create_dataset("layers/logits/vars/0", (8,), "float32", external=[(str(tmp_path / "secret"), 0, 32)])

    def virtual(file: h5py.File) -> None:
        layout = h5py.VirtualLayout((8,), "float32")
        layout[:] = h5py.VirtualSource(str(tmp_path / "secret.h5"), "x", (8,))
        file.create_virtual_dataset("layers/logits/vars/0", layout)

    for fill in (external, virtual):
        refused(
            write(**{WEIGHTS: h5(fill)}),
            "weights must lie inside the file. Received: 'layers/logits/vars/0' outside it",
        )


def test_weights_that_are_no_h5_or_of_other_shapes_are_refused(write) -> None:
    refused(write(**{WEIGHTS: b"garbage"}), "the weights are damaged")
    with pytest.raises(ModelFileError, match="the model cannot be built from its file"):
        load(write(**{WEIGHTS: h5(lambda file: file.create_group("layers"))}))


def test_one_flipped_bit_in_the_weights_is_noticed(good, members, tmp_path) -> None:
    # Keras falls back to reading the weights as they are.
    content = bytearray(good.read_bytes())
    start = content.index(members[WEIGHTS][:64])
    content[start + len(members[WEIGHTS]) // 2] ^= 1
    path = tmp_path / "bad.keras"
    path.write_bytes(content)
    refused(path, "model.weights.h5 is damaged: its checksum does not match")


def test_a_compressed_copy_of_a_good_file_is_as_good(good, members, tmp_path) -> None:
    path = tmp_path / "small.keras"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    np.testing.assert_array_equal(
        load(path).predict(waveforms(), verbose=0), load(good).predict(waveforms(), verbose=0)
    )


def test_mutated_bytes_of_a_good_file_raise_nothing_else_or_change_nothing(good, tmp_path) -> None:
    """Bytes are set, cut out and repeated, half of them where the archive's own structure lies."""
    content = good.read_bytes()
    description = check_model_file(good)
    chance = random.Random(0)
    path = tmp_path / "mutated.keras"
    survivors = 0
    for _ in range(150):
        changed = bytearray(content)
        for _ in range(chance.choice([1, 1, 3])):
            near_the_end = chance.random() < 0.5
            position = chance.randrange(len(changed) - 400 if near_the_end else 0, len(changed))
            match chance.randrange(3):
                case 0:
                    changed[position] = chance.randrange(256)
                case 1:
                    del changed[position : position + chance.randrange(1, 50)]
                case 2:
                    changed[position:position] = changed[position : position + chance.randrange(1, 50)]
        path.write_bytes(changed)
        try:
            assert check_model_file(path) == description
        except ModelFileError as error:
            assert "\n" not in str(error)
            continue
        survivors += 1
        if survivors <= 3:
            load(path)
    # Time stamps, comments and the like bear a change.
    assert survivors < 75


def test_mutated_configs_raise_nothing_else(write, members) -> None:
    """The archive is whole; characters and values of its config are not."""
    text = members["config.json"].decode()
    chance = random.Random(1)
    alphabet = '{}[]",:0123456789-enulltrufas> .\\'
    for number in range(150):
        changed = list(text)
        for _ in range(chance.choice([1, 2, 5])):
            position = chance.randrange(len(changed))
            changed[position] = chance.choice(alphabet)
        path = write(**{"config.json": "".join(changed).encode()})
        try:
            # Building is slow: the check alone has to bear all of them.
            (load if number % 15 == 0 else check_model_file)(path)
        except ModelFileError as error:
            assert "\n" not in str(error)


def test_a_file_that_changes_after_it_was_refused_is_read_anew(good, tmp_path) -> None:
    path = tmp_path / "m.keras"
    path.write_bytes(b"")
    refused(path, "not a whole .keras archive")
    shutil.copy(good, path)
    assert describe(load(path)).name == "pets"
