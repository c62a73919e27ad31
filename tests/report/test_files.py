"""Reports are written whole or not at all."""

import os
from pathlib import Path

import pytest

from outlay.errors import InputError
from outlay.report.files import check_writable, write_atomically
from outlay.report.html import write_html
from outlay.report.workbook import write_workbook


def _no_folder(tmp_path):
    return tmp_path / "missing" / "plan.html", "there is no folder"


def _is_folder(tmp_path):
    return tmp_path, "it is a folder"


def _under_a_file(tmp_path):
    (tmp_path / "file").write_text("x")
    return tmp_path / "file" / "plan.html", "there is no folder"


@pytest.mark.parametrize("place", [_no_folder, _is_folder, _under_a_file])
@pytest.mark.parametrize("write", [write_html, write_workbook])
def test_unwritable_place_is_refused_with_its_path(plan, tmp_path, place, write):
    """One message names the place and the reason; nothing is left behind."""
    path, reason = place(tmp_path)
    before = sorted(tmp_path.rglob("*"))
    for attempt in (lambda: check_writable(path), lambda: write(plan, path)):
        with pytest.raises(InputError) as error:
            attempt()
        assert str(path) in str(error.value)
        assert reason in str(error.value)
    assert sorted(tmp_path.rglob("*")) == before


@pytest.mark.skipif(os.geteuid() == 0, reason="the superuser may write everywhere")
def test_protected_folder_is_refused(tmp_path):
    """A folder one may not write in is found out before the work begins."""
    tmp_path.chmod(0o500)
    with pytest.raises(InputError, match="cannot write"):
        check_writable(tmp_path / "plan.html")


def test_full_device_is_refused():
    """A place that takes no files is refused even for the superuser."""
    with pytest.raises(InputError, match=r"cannot write /proc/plan\.html"):
        check_writable("/proc/plan.html")


def test_check_leaves_nothing(tmp_path):
    """Looking is not writing."""
    check_writable(tmp_path / "plan.html")
    assert list(tmp_path.iterdir()) == []


def test_failure_keeps_the_old_file(tmp_path):
    """Where the new file cannot be finished, the old one stays and no draft remains."""
    path = tmp_path / "plan.html"
    path.write_text("old")

    def fail(draft: Path) -> None:
        draft.write_text("half")
        msg = "stopped"
        raise RuntimeError(msg)

    with pytest.raises(RuntimeError, match="stopped"):
        write_atomically(path, fail)
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_replaced_file_keeps_its_mode(tmp_path):
    """A new file is readable as any other; an old one keeps its mode."""
    fresh, old = tmp_path / "fresh", tmp_path / "old"
    old.write_text("old")
    old.chmod(0o640)
    for path in (fresh, old):
        write_atomically(path, lambda draft: draft.write_text("new"))
    umask = os.umask(0)
    os.umask(umask)
    assert fresh.stat().st_mode & 0o777 == 0o666 & ~umask
    assert old.stat().st_mode & 0o777 == 0o640
    assert old.read_text() == "new"
