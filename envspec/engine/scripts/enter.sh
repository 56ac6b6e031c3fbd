# enter COUNT COMMAND...: become a command that can be found again: by ENVSPEC_STEP in its environment, and by a limit
# on file locks, which Linux has not heeded since 2.4 (getrlimit(2)) and which even `env -i` hands down. COUNT
# variables come as ENVSPEC_VAR_1 and so on, each NAME=VALUE, and stand over those of the environment. Between this
# and enter_command.sh comes variables.sh.
# shellcheck disable=SC3045 # -w is what dash and busybox call it, -x is bash's
ulimit -w $((0x${ENVSPEC_STEP%?})) 2> /dev/null || ulimit -x $((0x${ENVSPEC_STEP%?})) 2> /dev/null || :
[ ! -e "/run/envspec/ended/$ENVSPEC_STEP" ] || exit 137
