#!/bin/bash
# The floor of a deploy: what git and Docker Engine need, with git and curl only.
#
#   deploy.sh WORKTREE BARE_REPO SOCKET NETWORK ADDRESS NAME VERSION
#
# Pushes the work tree's master to a bare repository on this disk, builds its Dockerfile with
# BuildKit, creates a container with the same hardening as paas, starts it, and polls it until it
# answers VERSION. Prints nothing. Uses nothing of paas.
set -euo pipefail
worktree=$1 bare=$2 socket=$3 network=$4 address=$5 name=$6 version=$7
engine() { curl -sS --fail --unix-socket "$socket" "$@"; }

git -C "$worktree" push -q "$bare" master
git -C "$bare" archive --format=tar master |
    engine -X POST -H 'Content-Type: application/x-tar' -T - -o /dev/null \
        "http://engine/build?version=2&t=$name&networkmode=default"
engine -X POST -H 'Content-Type: application/json' -o /dev/null \
    "http://engine/containers/create?name=$name" -d @- <<JSON
{"Image": "$name", "User": "300000:300000", "Env": ["PORT=5000", "HOME=/tmp", "TMPDIR=/tmp"],
 "Cmd": ["/bin/sh", "-c", "gunicorn --bind 0.0.0.0:5000 app:app"],
 "Healthcheck": {"Test": ["NONE"]}, "StopSignal": "SIGTERM",
 "HostConfig": {"NetworkMode": "$network", "CapDrop": ["ALL"], "ReadonlyRootfs": true,
  "SecurityOpt": ["no-new-privileges:true"], "Memory": 536870912, "MemorySwap": 536870912,
  "PidsLimit": 256, "NanoCpus": 1000000000, "CpuShares": 512, "Init": true, "IpcMode": "private",
  "ShmSize": 67108864, "OomScoreAdj": 500,
  "Tmpfs": {"/tmp": "rw,nosuid,nodev,exec,size=64m,uid=300000,gid=300000",
            "/var/tmp": "rw,nosuid,nodev,noexec,size=16m,uid=300000,gid=300000",
            "/run": "rw,nosuid,nodev,noexec,size=8m,uid=300000,gid=300000"},
  "LogConfig": {"Type": "json-file", "Config": {"max-size": "10m", "max-file": "3"}}},
 "NetworkingConfig": {"EndpointsConfig": {"$network": {"IPAMConfig": {"IPv4Address": "$address"}}}}}
JSON
engine -X POST -o /dev/null "http://engine/containers/$name/start"
for _ in $(seq 600); do
    if [ "$(curl -s --max-time 1 "http://$address:5000/" || true)" = "$version" ]; then exit 0; fi
    sleep 0.02
done
echo "the floor's container did not answer $version within 12 s" >&2
exit 1
