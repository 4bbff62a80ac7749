"""The desktop app: a folder of songs, tagged by eye and ear on the engine of `keraudio.tagging`.

The window itself opens no song and loads no backend. A child process hears songs (`listener`) and another plays them
(`playing`); writing and undoing run in a thread without Qt (`background`), whose events the window fetches.
"""
