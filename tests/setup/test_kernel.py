from pathlib import Path

from paas.settings import Settings
from paas.setup.kernel import FILE, tune_kernel


def make_root(tmp_path: Path) -> Path:
    current = tmp_path / "proc/sys/net/ipv4/tcp_tw_reuse"
    current.parent.mkdir(parents=True)
    current.write_text("2\n")
    return tmp_path


def test_the_setting_holds_now_and_after_a_boot(tmp_path: Path) -> None:
    root, said = make_root(tmp_path), list[str]()
    tune_kernel(Settings(), said.append, root)
    assert (root / FILE).read_text() == "net.ipv4.tcp_tw_reuse = 1\n"
    assert (root / "proc/sys/net/ipv4/tcp_tw_reuse").read_text() == "1"
    assert len(said) == 2


def test_a_second_run_changes_nothing(tmp_path: Path) -> None:
    root, said = make_root(tmp_path), list[str]()
    tune_kernel(Settings(), said.append, root)
    said.clear()
    tune_kernel(Settings(), said.append, root)
    assert said == []


def test_an_installation_with_its_own_nginx_leaves_the_kernel_alone(tmp_path: Path) -> None:
    root = make_root(tmp_path)
    tune_kernel(Settings(nginx_conf=Path("/srv/nginx.conf")), print, root)
    assert not (root / FILE).exists()
