"""The notes that builds leave on what they have put into the engine's cache."""

from pathlib import Path

from paas.build.leftovers import note_steps, take_notes

SPAN = ("copy /context /", 1, 2)


def test_notes_are_taken_whole_or_later(tmp_path: Path) -> None:
    note_steps(tmp_path, [SPAN])
    [whole] = tmp_path.iterdir()
    half = tmp_path / f"{int(whole.stem) + 1}.json"
    half.write_text('[["copy /con')
    assert take_notes(tmp_path) == ((whole,), (SPAN,))


def test_a_note_whose_writer_died_over_it_says_nothing_and_goes(tmp_path: Path) -> None:
    torn = tmp_path / "1000.json"
    torn.touch()
    assert take_notes(tmp_path) == ((torn,), ())
