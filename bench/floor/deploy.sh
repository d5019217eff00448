#!/bin/bash
# The floor of a deploy: what git and Docker Engine need, with git and curl only.
#
#   deploy.sh WORKTREE BARE_REPO SOCKET IMAGE CONTAINER BODY ADDRESS PORT VERSION
#
# Pushes the work tree's master to a bare repository on this disk, builds its Dockerfile with
# BuildKit as IMAGE, creates CONTAINER from the JSON file BODY, starts it, and waits until it answers
# VERSION on ADDRESS and PORT. Prints nothing. Uses nothing of paas.
set -euo pipefail
worktree=$1 bare=$2 socket=$3 image=$4 container=$5 body=$6 address=$7 port=$8 version=$9
engine() { curl -sS --fail --unix-socket "$socket" -o /dev/null -X POST "$@"; }

git -C "$worktree" push -q "$bare" master
git -C "$bare" archive --format=tar master |
    engine -H 'Content-Type: application/x-tar' -T - "http://engine/build?version=2&t=$image"
engine -H 'Content-Type: application/json' -d "@$body" "http://engine/containers/create?name=$container"
engine "http://engine/containers/$container/start"
for ((look = 0; look < 1000; look++)); do
    # bash connects by itself: starting a program for each look would cost what it measures
    if (exec 3<>"/dev/tcp/$address/$port") 2>/dev/null; then
        [ "$(curl -s --max-time 5 "http://$address:$port/" || true)" != "$version" ] || exit 0
    fi
    read -rt 0.01 <> <(:) || true
done
echo "the floor's container did not answer $version" >&2
exit 1
