# copy_trees [FROM TO]...: put all that is in FROM into the directory TO, owners, modes, times and links kept
begin
while [ $# -gt 0 ]; do
  mkdir -p -- "$2" && cp -a -- "$1/." "$2/" || fail 1 "cannot copy $1"
  shift 2
done
