# enter COUNT COMMAND...: become a command that can be found again: by ENVSPEC_STEP in its environment, and by a limit
# on file locks, which Linux has not heeded since 2.4 (getrlimit(2)) and which even `env -i` hands down. COUNT
# variables come as ENVSPEC_VAR_1 and so on, each NAME=VALUE, and stand over those of the environment.
# shellcheck disable=SC3045 # -w is what dash and busybox call it, -x is bash's
ulimit -w $((0x${ENVSPEC_STEP%?})) 2> /dev/null || ulimit -x $((0x${ENVSPEC_STEP%?})) 2> /dev/null || :
[ ! -e "/run/envspec/ended/$ENVSPEC_STEP" ] || exit 137
# shellcheck disable=SC1091 # it lies in the container
[ ! -r /run/envspec/env ] || . /run/envspec/env
ENVSPEC_COUNT=$1
shift
while [ "$ENVSPEC_COUNT" -gt 0 ]; do
  eval "export \"\$ENVSPEC_VAR_$ENVSPEC_COUNT\"; unset ENVSPEC_VAR_$ENVSPEC_COUNT"
  ENVSPEC_COUNT=$((ENVSPEC_COUNT - 1))
done
unset ENVSPEC_COUNT
exec "$@"
