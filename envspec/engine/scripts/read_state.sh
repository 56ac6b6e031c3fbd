# read_state NAME...: the windows, and the ledger's entries of the names with what was kept for them, as a tar stream;
# with sub-second times where tar has a form for them.
# The file ``read`` tells when: a volume that is filled for the next container until it is put there is none of the user's.
cd "$STATE" 2> /dev/null || exit 0
: > ./read
count=$#
for name; do
  for path in "ledger/$name" "originals/$name" "originals/$name.absent"; do
    if [ -e "$path" ] || [ -L "$path" ]; then set -- "$@" "$path"; fi
  done
done
shift "$count"
set -- read "$@"
[ ! -d windows ] || set -- windows "$@"
if tar --version 2> /dev/null | grep -q GNU; then set -- --format=posix "$@"; fi
tar -cf - "$@" 2> /dev/null
