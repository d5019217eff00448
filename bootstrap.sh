#!/usr/bin/env bash
# Turns a Debian or Ubuntu host into a running paas, with a demo app live. Run it again at any time: it keeps
# what is there and mends what is missing. `bootstrap.sh test` runs the whole test suite instead.
set -Eeuo pipefail
umask 022
# needrestart(1), which Ubuntu runs behind apt, would ask which services to restart.
export LC_ALL=C.UTF-8 DEBIAN_FRONTEND=noninteractive NEEDRESTART_SUSPEND=1

usage() {
  cat <<'TEXT'
Usage: bootstrap.sh [options]      set up paas and push a demo app
       bootstrap.sh test           set up what the tests need and run them all
       bootstrap.sh uninstall [--keep-data]   take paas off this host

Options (and the variables that do the same):
  --root DIR         data (PAAS_ROOT, /var/lib/paas)
  --domain DOMAIN    apps answer at APP.DOMAIN (PAAS_DOMAIN, paas.localhost)
  --ssh-port PORT    git push and commands (PAAS_SSH_PORT, 2222)
  --http-port PORT   nginx (PAAS_HTTP_PORT, 80)
  --https-port PORT  nginx (PAAS_HTTPS_PORT, 443)
  --openssh          let the host's own sshd be a door too (PAAS_OPENSSH=true)
  --no-demo          push no demo app (PAAS_NO_DEMO=1)
TEXT
}

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
home=${PAAS_HOME:-/opt/paas}
home=${home%/}
bundle=/etc/ssl/certs/ca-certificates.crt
mode=install
current='Start'
keep_data=
declare -i since=0 is_quiet=0 # is_quiet: the step's output is in the log only

main() {
  parse "$@"
  ((EUID == 0)) || die 'This needs root' "Run: sudo $0 $*"
  [[ $mode == test ]] || be_alone
  log=/var/log/paas-$mode.log
  : >"$log"
  exec 3>&2 # failed() runs where the failing command's output goes into the log
  trap 'failed $? "$BASH_COMMAND"' ERR
  # Behind a TLS-inspecting proxy pip must trust what the host trusts.
  [[ ! -f $bundle ]] || export PIP_CERT=${PIP_CERT:-$bundle}
  case $mode in
    test) run_tests ;;
    uninstall) uninstall_all ;;
    install) install_all ;;
  esac
}

parse() {
  while (($#)); do
    case $1 in
      test | uninstall) mode=$1 ;;
      --keep-data) keep_data=--keep-data ;;
      --root | --domain | --ssh-port | --http-port | --https-port)
        (($# > 1)) || die "$1 wants a value" "See: $0 --help"
        local name=${1#--}
        name=${name//-/_}
        export "PAAS_${name^^}=$2"
        shift
        ;;
      --openssh) export PAAS_OPENSSH=true ;;
      --no-demo) PAAS_NO_DEMO=1 ;;
      -h | --help) usage && exit 0 ;;
      *) die "$1 is not an option" "See: $0 --help" ;;
    esac
    shift
  done
}

# Of two runs at once one would sweep away what the other has just unpacked. Daemons that outlive this
# script must not inherit the lock: see 4>&-.
be_alone() {
  [[ $home =~ ^/[A-Za-z0-9._/+@-]*$ ]] || die "PAAS_HOME=$home has characters that a unit cannot name" 'Choose letters, digits and . _ / + @ -'
  [[ $here/ != "$home"/* ]] || die "This checkout is in $home, where the program goes" 'Move it to another folder and run it there.'
  exec 4>>/run/paas-bootstrap.lock
  flock -n 4 || die 'Another bootstrap.sh or paas upgrade is at work' 'Wait until it has ended.'
}

install_all() {
  local packages
  mapfile -t packages < <(packages_to_run)
  [[ ${PAAS_OPENSSH:-} != true ]] || packages+=(openssh-server)
  install_packages "${packages[@]}"
  start_engine
  step 'Python packages, by hash' install_venv "$here/requirements.lock"
  step "Program in $home" install_tree
  step 'nginx' start_nginx
  # The first version comes before setup: what setup advises, and uninstall, need the program.
  current="Command $home/bin/paas"
  [[ -e $home/tree ]] || switch_program
  current='paas setup'
  run_module 'from paas.__main__ import main' 'sys.exit(main())' setup
  step "Command $home/bin/paas" switch_program
  read_settings
  step 'Daemon' start_daemon
  current='Demo app'
  [[ ${PAAS_NO_DEMO:-} ]] || push_demo
  goodbye
}

# What the Debian packages brought stays: others may use it by now.
uninstall_all() {
  current='Removing paas'
  [[ -x $home/venv/bin/python ]] || leave_half_installed
  local unit
  for unit in paas.service paas-restore.service; do # an install that was killed may have brought one
    [[ -f /etc/systemd/system/$unit ]] || continue
    systemctl disable --quiet --now "$unit"
    rm -f "/etc/systemd/system/$unit"
    systemctl daemon-reload
  done
  printf -- '-----> %s\n' "$current"
  (cd / && "$home/venv/bin/python" -I -m paas.setup.remove $keep_data)
  local link=${PAAS_LINK:-/usr/local/bin/paas}
  [[ $(readlink "$link") != "$home/bin/paas" ]] || rm -f "$link"
  remove_program
  printf '=====> paas is gone from this host%s\n' "${keep_data:+; its data stays for the next bootstrap.sh}"
}

# Without its program paas cannot be removed; before `paas setup` there is nothing but the program.
leave_half_installed() {
  [[ ! -f ${PAAS_CONFIG:-/etc/paas/paas.toml} ]] || die "There is data of paas, but no whole program in $home" "Run: $0 --no-demo && $0 uninstall"
  [[ -d $home ]] || die "There is no paas in $home" 'Nothing was removed.'
  remove_program
  printf '=====> removed the program from %s: it was never set up\n' "$home"
  exit 0
}

# Anything else in that folder is somebody's.
remove_program() {
  rm -rf "$home"/{venv,tree}-* "$home"/{venv,tree}{,.new} "$home"/bin/paas{,.new} "$log" /var/log/paas-install.log /run/paas-bootstrap.lock
  rmdir --ignore-fail-on-non-empty "$home/bin" "$home" 2>/dev/null || true
}

run_tests() {
  local packages=(ca-certificates curl e2fsprogs fish git iproute2 iptables mmdebstrap nftables openssh-client openssh-server procps python3 python3-venv zsh)
  has nginx || packages+=(nginx-light)
  has dockerd || engine_answers || packages+=(docker.io)
  install_packages "${packages[@]}"
  start_engine
  step 'Python packages for development, by hash' make_dev_venv
  step 'Stack image, shared by all tests' make_stack
  local failures=0 task
  for task in check test engines journeys faults-quick; do
    printf -- '-----> just %s\n' "$task"
    (cd "$here" && PATH="$here/.venv/bin:$PATH" just "$task" </dev/null) || failures=$((failures + 1))
  done
  ((failures == 0)) || die "$failures of 5 test runs failed" 'Read the first failure above.'
  printf '=====> All tests passed in %d s\n' "$SECONDS"
}

# --- packages and engine ---------------------------------------------------------------------------

# What paas runs on, a name a line. Stacks are Debian's, so its keys are needed on Ubuntu too.
packages_to_run() {
  printf '%s\n' ca-certificates curl debian-archive-keyring e2fsprogs git iproute2 iptables mmdebstrap nftables openssh-client procps
  local python=python3 nginx=nginx-light
  if [[ $(release) == 'ubuntu 22.04' ]]; then # its python3 is 3.10, its nginx-light has no limit_conn
    python=python3.11 nginx=nginx-core
  fi
  find_python >/dev/null 2>&1 || printf '%s\n' "$python" "$python-venv"
  has nginx || echo "$nginx"
  has dockerd || engine_answers || echo docker.io
}

# "debian 12", "ubuntu 24.04": os-release(5).
release() {
  # shellcheck disable=SC1090
  (. "${OS_RELEASE:-/etc/os-release}" && echo "$ID ${VERSION_ID:-}")
}

install_packages() {
  local missing=() package
  for package in "$@"; do
    dpkg-query -W -f='${Status}' "$package" 2>/dev/null | grep -q 'ok installed' || missing+=("$package")
  done
  step "Debian packages: ${missing[*]:-nothing is missing}" fetch_packages "${missing[@]}"
}

fetch_packages() {
  (($#)) || return 0
  apt_get update
  [[ $(release) != ubuntu* ]] || apt-cache show mmdebstrap >/dev/null 2>&1 || open_universe
  apt_get install --yes --no-install-recommends "$@"
}

# Ubuntu keeps half of what is needed in universe, which some providers' images leave out.
open_universe() {
  apt_get install --yes --no-install-recommends software-properties-common
  add-apt-repository --yes universe
  apt_get update
}

apt_get() { apt-get -o DPkg::Lock::Timeout=120 "$@"; }

start_engine() {
  step 'Docker Engine' bring_up_engine
}

bring_up_engine() {
  [[ -n ${PAAS_ENGINE:-} ]] || start_at_boot docker
  engine_answers && return
  if has_systemd; then
    systemctl start docker
  else
    # A bare machine without an init system may not have mounted it.
    mountpoint -q /sys/fs/cgroup || mount -t cgroup2 cgroup2 /sys/fs/cgroup
    setsid dockerd >>/var/log/dockerd.log 2>&1 </dev/null 4>&- &
  fi
  wait_until 60 engine_answers || tell "dockerd does not answer; its log: /var/log/dockerd.log, or journalctl -u docker"
}

# Also what somebody started by hand: apps are to be there after a reboot.
start_at_boot() {
  has_systemd && systemctl cat "$1.service" >/dev/null 2>&1 || return 0
  systemctl is-enabled --quiet "$1" || systemctl enable "$1" || true # a masked one is the owner's choice
}

engine_answers() {
  local socket=${PAAS_ENGINE:-unix:///var/run/docker.sock}
  curl -fsS --max-time 5 --unix-socket "${socket#unix://}" http://engine/_ping >/dev/null 2>&1
}

# --- the program -----------------------------------------------------------------------------------

find_python() {
  local candidate
  for candidate in /usr/bin/python3 python3.14 python3.13 python3.12 python3.11 python3; do
    if "$candidate" -c 'import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
      echo "$candidate"
      return
    fi
  done
  tell 'No Python of version 3.11 or newer with venv: Debian 12 and Ubuntu 24.04 have one, as python3-venv'
}

# One directory per lock file, named by its content.
install_venv() {
  local python
  python=$(find_python)
  venv=$home/venv-$(cat "$1" <("$python" -V) | sha256sum | cut -c1-12)
  [[ ! -f $venv/complete ]] || return 0
  fill_venv "$python" "$venv" "$1"
  echo "$home/tree" >"$(echo "$venv"/lib/python3*/site-packages)/paas.pth"
  complete "$venv"
}

# On the disk before it counts as whole: a loss of power leaves empty files else.
complete() {
  sync -f "$1"
  touch "$1/complete"
}

fill_venv() {
  mkdir -p "$(dirname "$2")"
  "$1" -m venv --clear "$2"
  "$2/bin/python" -m pip install --disable-pip-version-check --no-input --require-hashes -r "$3"
}

make_dev_venv() {
  local python mark
  python=$(find_python)
  mark=$here/.venv/$(sha256sum "$here/requirements-dev.lock" | cut -c1-12)
  [[ -f $mark ]] && return
  fill_venv "$python" "$here/.venv" "$here/requirements-dev.lock"
  touch "$mark"
}

# The same: one directory per version, which is made anew if something has changed in it.
install_tree() {
  tree=$home/tree-$(pack "$here" | sha256sum | cut -c1-12)
  [[ ! -f $tree/complete || $tree != "$home/tree-$(pack "$tree" | sha256sum | cut -c1-12)" ]] || return 0
  rm -rf "$tree"
  mkdir -p "$tree"
  pack "$here" | tar -C "$tree" -xf -
  "$venv/bin/python" -m compileall -q "$tree/paas"
  complete "$tree"
}

pack() {
  tar -C "$1" --exclude=__pycache__ --sort=name --mtime=@0 --owner=0 --group=0 --mode=u=rwX,go=rX -cf - \
    paas buildpacks nginx-templates hooks examples
}

# Run lines of Python in the new program, which need not be the one on the PATH yet.
run_module() {
  local program="import sys; sys.path.insert(0, '$tree')"$'\n'"$1"$'\n'"$2"
  "$venv/bin/python" -I -c "$program" "${@:3}"
}

# Of an upgrade, once setup has succeeded: until then, and if it fails, the version of before is there.
switch_program() {
  point "$venv" "$home/venv"
  point "$tree" "$home/tree"
  write_command
}

# -I: neither the working directory nor the caller's environment may add modules to root's program.
# Both folders by their own names: what runs keeps the version it was started as, also in what it
# reads later (modules, buildpacks, templates).
write_command() {
  local command=$home/bin/paas link=${PAAS_LINK:-/usr/local/bin/paas} text
  text=$(printf '%s\n' "#!$venv/bin/python -I" 'import sys' "sys.path.insert(0, '$tree')" 'from paas.__main__ import main' 'sys.exit(main())')
  if [[ $(cat "$command" 2>/dev/null) != "$text" ]]; then
    mkdir -p "$home/bin"
    echo "$text" >"$command.new"
    chmod 755 "$command.new"
    mv "$command.new" "$command"
  fi
  if [[ -e $link && ! $link -ef $command ]]; then tell "$link is another program; move it away first"; fi
  point "$command" "$link"
}

start_nginx() {
  [[ -z ${PAAS_NGINX_CONF:-} ]] || return 0 # an nginx that the owner starts
  start_at_boot nginx
  kill -0 "$(cat /run/nginx.pid 2>/dev/null)" 2>/dev/null && return
  if has_systemd; then systemctl start nginx; else nginx 4>&-; fi
}

read_settings() {
  local program='from paas.settings import load
s = load()
print(s.root, s.domain, s.door_user, s.ssh_port, s.http_port, s.app_url(f"hello.{s.domain}"))'
  read -r root domain user ssh_port http_port url < <(run_module '' "$program")
}

start_daemon() {
  local mark before verb=start
  mark="$tree $venv $(cat "${PAAS_CONFIG:-/etc/paas/paas.toml}" "$here"/units/* | sha256sum)"
  before=$(cat "$root/run/started" 2>/dev/null || true)
  if [[ $before != "$mark" ]]; then
    verb=restart # another version runs: apps go on
    rm -f "$root/run/started"
  fi
  if has_systemd; then
    install_units
    systemctl enable paas-restore.service paas.service
    systemctl start paas-restore.service
    systemctl "$verb" paas.service
  else
    [[ $verb == start ]] || "$home/bin/paas" stop
    "$home/bin/paas" start
  fi
  echo "$mark" >"$root/run/started"
  [[ $verb == start ]] || touch -c "$home"/{tree,venv}-* # what was replaced now is used now
  sweep
}

# Deploys, runs and cron jobs that a version has begun end within a day.
sweep() {
  local old
  find -H "$home" -maxdepth 1 \( -name 'tree-*' -o -name 'venv-*' \) -mtime +1 | while read -r old; do
    [[ ${old##*/} == "${tree##*/}" || ${old##*/} == "${venv##*/}" ]] || rm -rf "$old"
  done
}

install_units() {
  local unit text
  for unit in paas.service paas-restore.service; do
    text=$(sed "s|@HOME@|$home|g; s|@ROOT@|$root|g" "$here/units/$unit")
    [[ $(cat "/etc/systemd/system/$unit" 2>/dev/null) == "$text" ]] && continue
    echo "$text" >"/etc/systemd/system/$unit"
    systemctl daemon-reload
  done
}

make_stack() {
  local program='from paas.build.stack import ensure_stack
from paas.settings import load
print(ensure_stack(load(), print))'
  (cd "$here" && PAAS_ROOT=/var/tmp/paas-stack .venv/bin/python -c "$program")
}

# --- the demo --------------------------------------------------------------------------------------

push_demo() {
  local demo=$root/demo answer
  mkdir -p "$demo"
  chmod 700 "$demo"
  step 'Demo key and commit' prepare_demo "$demo"
  printf -- '-----> git push paas master (examples/hello)\n'
  GIT_SSH_COMMAND="ssh -F none -i $demo/key -o IdentitiesOnly=yes -o StrictHostKeyChecking=accept-new -o UserKnownHostsFile=$demo/known_hosts" \
    git -C "$demo/hello" push "ssh://$user@127.0.0.1:$ssh_port/hello" master
  answer=$(curl -fsS --max-time 30 --resolve "hello.$domain:$http_port:127.0.0.1" "$url")
  printf -- '-----> curl %s\n       %s\n' "$url" "$(head -n 1 <<<"$answer")"
}

prepare_demo() {
  local demo=$1 git=(git -C "$1/hello" -c user.name=paas -c user.email=paas@localhost)
  [[ -f $demo/key ]] || ssh-keygen -q -t ed25519 -N '' -C demo -f "$demo/key"
  "$home/bin/paas" ssh-keys:list | grep -qw demo || "$home/bin/paas" ssh-keys:add demo --member <"$demo/key.pub"
  [[ -d $demo/hello/.git ]] || git init -q -b master "$demo/hello"
  cp -R "$home/tree/examples/hello/." "$demo/hello/"
  "${git[@]}" add -A
  "${git[@]}" diff --cached --quiet || "${git[@]}" commit -q -m 'Say hello'
}

goodbye() {
  local host=$domain
  [[ $domain != *localhost ]] || host=localhost
  printf '=====> paas is ready, after %d s\n' "$SECONDS"
  [[ ${PAAS_NO_DEMO:-} ]] || printf '       %s\n' "$url"
  cat <<TEXT
       Push an app of your own:
         paas ssh-keys:add laptop < ~/.ssh/id_ed25519.pub   # here, with your public key
         git remote add paas ssh://$user@$host:$ssh_port/myapp
         git push paas master
TEXT
}

# --- words -----------------------------------------------------------------------------------------

# step WORDS COMMAND...: announce it, run it into the log, say how long it took.
step() {
  current=$1
  since=$SECONDS
  shift
  printf -- '-----> %s\n' "$current"
  printf -- '-----> %s\n' "$current" >>"$log"
  is_quiet=1
  "$@" >>"$log" 2>&1
  is_quiet=0
  ((SECONDS - since < 2)) || printf '       done in %d s\n' $((SECONDS - since))
}

tell() {
  printf '%s\n' "$1" >&2
  return 1
}

failed() {
  trap - ERR
  {
    printf ' !     %s failed (exit status %d): %s\n' "$current" "$1" "$2"
    ((is_quiet == 0)) || tail -n 12 "$log" | sed 's/^/ !     | /'
    printf ' !     The whole log: %s. When the cause is mended, run this again\n' "$log"
  } >&3
  exit 1
}

die() {
  printf ' !     %s\n !     %s\n' "$1" "$2" >&2
  exit 2
}

point() {
  [[ $(readlink "$2" 2>/dev/null) == "$1" ]] && return
  ln -sfn "$1" "$2.new"
  mv -T "$2.new" "$2"
}

wait_until() {
  local deadline=$((SECONDS + $1))
  shift
  until "$@"; do
    ((SECONDS < deadline)) || return 1
    sleep 0.2
  done
}

has() { command -v "$1" >/dev/null; }
has_systemd() { [[ -d /run/systemd/system ]]; }

[[ ${BASH_SOURCE[0]} != "$0" ]] || main "$@" # sourced: a test of its functions
