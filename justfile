# The entry points for people and for CI. `just --list` shows them.
python := ".venv/bin/python"
# Tests side by side, one more than there are cores; those of a file, or of a group, one after the other.
beside := "-n auto --dist loadgroup"
# Compiling everything anew in each process would take longer than the tests.
export PYTHONDONTWRITEBYTECODE := ""

# Format, lint, types and the fast tests.
check:
    .venv/bin/ruff format --check .
    .venv/bin/ruff check .
    .venv/bin/mypy
    {{python}} -m pytest -n auto --dist worksteal -m "not engine and not real and not journey"

# Adapters against the real thing: Docker Engine, git, ssh, nginx, nftables.
test:
    {{python}} -m pytest {{beside}} -m "(engine or real) and not journey"

# Users' stories with real git, ssh, Docker and nginx.
journeys:
    {{python}} -m pytest {{beside}} -m "journey and not faults and not hosts"

# Debian machines with systemd that are set up, upgraded, rebooted, uninstalled: `-k trixie` for one.
fresh-host *args:
    {{python}} -m pytest tests/hosts/test_fresh_host.py -v -rP {{args}}

# The same kind of host with a kernel of its own (cgroup v2, AppArmor), in QEMU: an hour, 4 GB, qemu-system-x86.
fresh-host-vm *args:
    {{python}} -m pytest tests/hosts/test_virtual_host.py -v -rP {{args}}

# Inject faults, the long way; writes docs/reliability.md. Options: --quick, --seed N, names.
faults *args:
    {{python}} -m tests.faults {{args}}

# The short form of the same, as CI runs it.
faults-quick:
    {{python}} -m pytest {{beside}} -m faults

# Format and mend what can be mended.
fix:
    .venv/bin/ruff format .
    .venv/bin/ruff check --fix .

# The engine's contract suites on another Debian's engine, nested in a container: `engines forky containerd`.
engines suite="trixie" kind="classic":
    {{python}} -m tests.nested_engine {{suite}} {{kind}} {{python}} -m pytest tests/contracts -m engine

# Make the lock files anew from pyproject.toml, with hashes.
lock:
    .venv/bin/uv pip compile --universal --generate-hashes --python-version 3.11 --no-header --no-annotate -q pyproject.toml -o requirements.lock
    .venv/bin/uv pip compile --universal --generate-hashes --python-version 3.11 --no-header --no-annotate -q pyproject.toml --group dev -o requirements-dev.lock

# Make docs/commands.md anew from what the commands declare.
docs:
    {{python}} -m paas.commands.reference > docs/commands.new && mv docs/commands.new docs/commands.md
    {{python}} -m tests.conformance.table > docs/dokku-conformance.new && mv docs/dokku-conformance.new docs/dokku-conformance.md

# Measure side by side with the floor; writes docs/performance.md, of named benches their sections only. Options: --quick, names.
bench *args:
    {{python}} -m bench {{args}}
