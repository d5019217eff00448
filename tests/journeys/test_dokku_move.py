"""A team leaves its Dokku host: one command takes over all but the code, a push brings that."""

import subprocess
from pathlib import Path

from tests.dokku.host import add_certificate, make_app, set_property
from tests.journeys.instance import Instance


def fetch(paas: Instance, domain: str, scheme: str, port: str, ca: Path) -> str:
    """Ask for a domain that no name server knows, as its users' browsers will."""
    command = ["curl", "-sS", "--max-time", "30", "--cacert", str(ca)]
    place = ["--resolve", f"{domain}:{port}:127.0.0.1", f"{scheme}://{domain}:{port}/"]
    done = subprocess.run(
        [*command, *place], capture_output=True, text=True, check=True, timeout=40
    )
    return done.stdout


def test_an_app_moves_with_its_config_domain_scale_and_certificate(
    paas: Instance, tmp_path: Path
) -> None:
    home, data = tmp_path / "dokku", tmp_path / "lib"
    env = 'GREETING="from the old host"\nDOKKU_APP_RESTORE="1"\n'
    place = make_app(home, data, "moved", domains="www.moved.example", env=env)
    add_certificate(place, "www.moved.example")
    set_property(data, "ps", "moved", "scale", "web=2")

    seen = paas.paas("dokku:import", str(home), "--data", str(data))
    assert "domains: www.moved.example" in seen.stdout
    git = paas.app("moved", "flask")
    git.push()

    assert paas.paas("config:get", "moved", "GREETING").stdout == "from the old host\n"
    assert "web.2" in paas.paas("ps:report", "moved").stdout
    port = paas.environ["PAAS_HTTPS_PORT"]
    pem = place / "tls" / "server.crt"
    secure = fetch(paas, "www.moved.example", "https", port, pem)
    assert secure == paas.curl("moved").stdout
    assert "301" in fetch(paas, "www.moved.example", "http", str(paas.http_port), pem)
