# remove_repo NAME PATH: remove a work tree; what is mounted below it stays.
name=$1 path=$2
begin
locate "$path"
path=$located
case $path in
  / | '') fail 1 "refusing to remove the root directory" ;;
esac
if [ -L "$path" ]; then
  rm -f -- "$path" || fail 1 "cannot remove $path"
elif [ -d "$path" ]; then
  find "$path" -xdev ! -type d -exec rm -f -- {} + || fail 1 "cannot remove all of $path"
  find "$path" -xdev -depth -type d -exec rmdir -- {} + 2> /dev/null || :
fi
forget "$name"
