# enter, its second part: the variables that were given, and the command.
ENVSPEC_COUNT=$1
shift
while [ "$ENVSPEC_COUNT" -gt 0 ]; do
  eval "export \"\$ENVSPEC_VAR_$ENVSPEC_COUNT\"; unset ENVSPEC_VAR_$ENVSPEC_COUNT"
  ENVSPEC_COUNT=$((ENVSPEC_COUNT - 1))
done
unset ENVSPEC_COUNT
exec "$@"
