#!/bin/bash
# What BoGo's runner starts for each test: hands its arguments to the shim (shim.ts), which stays,
# and ends with the code and the words that come back.
[ "$1" = -is-handshaker-supported ] && echo No && exit 0
exec 3<>"/dev/tcp/127.0.0.1/$BOGO_SHIM_PORT"
printf '%s\0' "$#" "$@" >&3
read -r code <&3
cat <&3 >&2
exit "$code"
