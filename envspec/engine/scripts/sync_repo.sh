# sync_repo WORKSPACE UID GID GIT URL PATH REF DEPTH COMMIT FORCE SUBMODULES: GIT is the text of git_reason.sh and
# git.sh; stdin holds the record.
# A clone is made beside its place and moved there. A mount point cannot be replaced: there the clone's .git is moved
# in with a mark, the files are filled in from it, and the mark goes last; a marked one counts as empty.
workspace=$1 uid=$2 gid=$3 git=$4 url=$5 path=$6 ref=$7 depth=$8 commit=$9
shift 9
force=$1 submodules=$2
MARK=.git/envspec-incomplete
begin
read_record
locate "$path"
path=$located

user_git() {
  in_environment "$uid" "$gid" "$git" "$1" "$url" "$2" "$ref" "$depth" "$commit" "$force" "$submodules"
}

# vacant: whether nothing is there but what we left ourselves
vacant() {
  [ ! -L "$path" ] || return 1
  [ -e "$path" ] || return 0
  [ -d "$path" ] || return 1
  [ ! -e "$path/$MARK" ] || return 0
  [ -z "$(find "$path" -mindepth 1 -maxdepth 1 ! -name .envspec-clone)" ]
}

# clone_into DIR: a fresh clone in a directory of the user's own
clone_into() {
  rm -rf -- "$1"
  mkdir -- "$1" || fail 20 "cannot make a directory beside $path"
  chown "$uid:$gid" "$1" || fail 20 "cannot give $1 to uid $uid"
  code=0
  user_git clone "$1" || code=$?
  [ "$code" = 0 ] || { rm -rf -- "$1"; exit "$code"; }
}

# fill: the way of a mount point
fill() {
  clone=$path/.envspec-clone
  if [ ! -e "$path/$MARK" ]; then
    clone_into "$clone"
    : > "$clone/$MARK"
    mv -- "$clone/.git" "$path/.git" || fail 20 "cannot move the clone into $path"
  fi
  user_git fill "$path" || fail 20 "cannot fill $path from the clone"
  rm -rf -- "$clone"
  rm -f -- "$path/$MARK"
}

{
  printf '[safe]\n\tdirectory = *\n[include]\n'
  printf '\tpath = %s\n' "$FORWARDED_GIT" '~/.config/git/config' '~/.gitconfig'
} > "$STATE/gitconfig" || fail 20 "cannot write to $STATE"
if vacant; then
  parents "$path" "$uid" "$gid" "$workspace"
  if [ -e "$path" ] && [ ! -e "$path/$MARK" ]; then
    rm -rf -- "$path/.envspec-clone"
    rmdir -- "$path" 2> /dev/null || :
  fi
  if [ -e "$path" ]; then
    fill
  else
    clone=${path%/*}/.envspec-clone-${path##*/}
    clone_into "$clone"
    mv -- "$clone" "$path" || fail 20 "cannot move the clone to $path"
  fi
elif [ -e "$path/.git" ]; then
  user_git sync "$path" || exit $?
else
  fail 25 "$path exists and is no repository: move it away, or choose another path"
fi
head=$(user_git head "$path") || fail 20 "the repository at $path has no commit"
branch=$(printf '%s\n' "$head" | sed 1d)
keep_record "commit=${head%%
*}" "branch=$branch"
