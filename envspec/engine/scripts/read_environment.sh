# read_environment: the files of the tmpfs as a tar stream.
cd "$RUN" 2> /dev/null || exit 0
set --
for name in env ca.pem; do
  [ ! -e "$name" ] || set -- "$@" "$name"
done
[ $# = 0 ] || tar -cf - "$@" 2> /dev/null
