# git PHASE URL PATH REF DEPTH COMMIT FORCE SUBMODULES: the part of sync_repo that runs as the owner of the work tree.
# FORCE is '', 'made' (local changes may be overwritten) or 'all' (commits may be lost too). SUBMODULES is '', 'on', or
# 'off' where they were on before.
# Exit codes: 20 anything else, 21 network, 22 credentials, 23 no such repository, 24 no such ref or commit,
# 25 another origin, 26 local changes, 27 no git.
phase=$1 url=$2 path=$3 ref=$4 depth=$5 commit=$6 force=$7 submodules=$8
export LC_ALL=C GIT_CONFIG_NOSYSTEM=1 GIT_TERMINAL_PROMPT=0 GIT_ALLOW_PROTOCOL=https:http:ssh:git:file
export GIT_CONFIG_GLOBAL=/var/lib/envspec/gitconfig
export GIT_SSH_COMMAND="${GIT_SSH_COMMAND:-ssh -o BatchMode=yes}"
unset GIT_DIR GIT_WORK_TREE GIT_INDEX_FILE
FETCHED=refs/envspec
MARK=.git/envspec-incomplete

# The system's configuration, which would say how large files are had, is not read.
large() {
  safe_git -c filter.lfs.required=true -c filter.lfs.process='git-lfs filter-process' \
    -c filter.lfs.smudge='git-lfs smudge -- %f' -c filter.lfs.clean='git-lfs clean -- %f' "$@"
}

safe_git() {
  git -c safe.directory='*' -c safe.bareRepository=explicit -c core.hooksPath=/dev/null -c core.fsmonitor=false \
    -c advice.detachedHead=false -c init.defaultBranch=main "$@"
}

stop() {
  stop_code=$1
  shift
  printf '%s\n' "$*"
  exit "$stop_code"
}

# remote WORD...: run a git command that talks to the origin; keeps what it says in said
remote() {
  said=$("$files" "$@" 2>&1)
}

# commit_of NAME: the full commit that a name means here, or nothing
commit_of() {
  safe_git rev-parse -q --verify "$1^{commit}" 2> /dev/null
}

looks_like_commit() {
  case $1 in
    *[!0-9a-f]*) return 1 ;;
  esac
  [ ${#1} -ge 7 ]
}

# full COMMIT: print in full a commit that was cut short, by a look at the origin's history without its files
full() {
  scratch=$(mktemp -d) || return 1
  safe_git clone -q --bare --filter=tree:0 -- "$url" "$scratch/look" > /dev/null 2>&1 \
    && safe_git -C "$scratch/look" rev-parse -q --verify "$1^{commit}" 2> /dev/null
  rm -rf -- "$scratch"
}

# bring COMMIT: make sure that a commit is here, fetching what it takes. A shallow clone stays shallow, but where the
# origin gives no commit by its name.
bring() {
  commit_of "$1" > /dev/null && return 0
  named=$1
  if [ -n "$shallow" ] && [ ${#1} -lt 40 ]; then named=$(full "$1"); fi
  if remote fetch -q ${shallow:+"$shallow"} origin "${named:-$1}"; then
    safe_git update-ref "$FETCHED/$(commit_of FETCH_HEAD)" FETCH_HEAD
    return 0
  fi
  case $shallow:$said in
    :*) remote fetch -q --tags origin || explain ;;
    *'unadvertised object'*) remote fetch -q --tags --unshallow origin || explain ;;
    *) explain ;;
  esac
  commit_of "$1" > /dev/null || stop 24 "$url has no commit $1"
}

# follow BRANCH: let a branch follow the origin's, also where the clone was told of another one only
follow() {
  safe_git branch -q --set-upstream-to="origin/$1" "$1" > /dev/null 2>&1 && return
  safe_git remote set-branches --add origin "$1" 2> /dev/null
  safe_git branch -q --set-upstream-to="origin/$1" "$1" > /dev/null 2>&1 || :
}

# check_out BRANCH TARGET: put HEAD at a target, on a branch unless that is ''
check_out() {
  if [ -n "$1" ]; then
    "$files" checkout -q ${overwrite:+"$overwrite"} -B "$1" "$2" -- || stop 26 "cannot check out $1"
    follow "$1"
  else
    "$files" checkout -q ${overwrite:+"$overwrite"} --detach "$2" -- || stop 26 "cannot check out $2"
  fi
}

# subdue: bring submodules to what is checked out; a repository from elsewhere may not have them read local files
subdue() {
  case $submodules in
    on)
      case $url in
        /* | file:*) ;;
        *) export GIT_ALLOW_PROTOCOL=https:http:ssh:git ;;
      esac
      remote submodule update -q --init --recursive ${overwrite:+"$overwrite"} ${shallow:+"$shallow"} \
        || explain "a submodule of $url"
      ;;
    off)
      safe_git submodule deinit -q ${overwrite:+"$overwrite"} --all \
        || stop 26 "$path has local changes in a submodule: commit and push them, or allow their loss"
      ;;
  esac
}

clone() {
  [ "$ref" != HEAD ] || ref=''
  if [ -z "$ref" ]; then
    remote clone ${shallow:+"$shallow"} -- "$url" "$path" || explain
  elif ! remote clone ${shallow:+"$shallow"} --branch "$ref" -- "$url" "$path"; then
    looks_like_commit "$ref" || explain
    remote clone ${shallow:+"$shallow"} --no-checkout -- "$url" "$path" || explain
  fi
  cd -- "$path" || exit 20
  branch=$(safe_git symbolic-ref -q --short HEAD)
  if looks_like_commit "$ref" && [ "$branch" != "$ref" ] && [ -z "$(commit_of "refs/tags/$ref")" ]; then
    bring "$ref"
    check_out '' "$ref"
    branch=''
  fi
  if [ -n "$commit" ] && [ "$(commit_of HEAD)" != "$commit" ]; then
    bring "$commit"
    check_out "$branch" "$commit"
  fi
  subdue
}

# ref_is_out: whether the ref is what is checked out
ref_is_out() {
  [ -n "$head" ] || return 1
  [ -n "$ref" ] && [ "$branch" != "$ref" ] || return 0
  [ -z "$branch" ] || return 1
  [ "$(commit_of "refs/tags/$ref")" = "$head" ] || { looks_like_commit "$ref" && [ "$(commit_of "$ref")" = "$head" ]; }
}

# fetch_ref: fetch the ref; sets wanted (what to put HEAD at) and on (the branch to be on, or '')
fetch_ref() {
  if [ -n "$commit" ] && [ "$branch" = "${ref:-$branch}" ]; then
    bring "$commit"
    wanted=$commit on=$branch
    return
  fi
  on=''
  if [ -z "$ref" ]; then
    remote fetch -q ${shallow:+"$shallow"} origin HEAD || explain
    wanted=FETCH_HEAD on=$branch
  elif remote fetch -q ${shallow:+"$shallow"} origin "+refs/heads/$ref:refs/remotes/origin/$ref"; then
    wanted=refs/remotes/origin/$ref on=$ref
  elif remote fetch -q ${shallow:+"$shallow"} origin "+refs/tags/$ref:refs/tags/$ref"; then
    wanted=refs/tags/$ref
  else
    looks_like_commit "$ref" || explain
    bring "$ref"
    wanted=$ref
  fi
  [ -z "$commit" ] || { bring "$commit" && wanted=$commit; }
}

# guard COMMIT...: stop where commits would lose their last name; the given ones the origin had before the fetch
guard() {
  known=$*
  set --
  [ -n "$branch" ] || set -- HEAD
  [ -z "$on" ] || [ -z "$(commit_of "refs/heads/$on")" ] || set -- "$@" "refs/heads/$on"
  [ $# -gt 0 ] || return 0
  # shellcheck disable=SC2086 # commits are words
  count=$(safe_git rev-list --count "$@" --not "$wanted" $known --remotes --tags --glob="$FETCHED" \
    --exclude="${on:-/}" --branches) || return 0
  [ "$count" = 0 ] || stop 26 "$path has $count commits that no remote has: push them, or allow their loss"
}

# fill: a clone in a mount point, which cannot be replaced: the clone's .git is moved in with a mark, the files are filled
# in from it, and the mark goes last; a marked one counts as empty
fill() {
  top=$path
  trap 'rm -rf -- "$top/.envspec-clone"' EXIT
  if [ ! -e "$top/$MARK" ]; then
    path=$top/.envspec-clone
    rm -rf -- "$path"
    mkdir -- "$path" || stop 20 "cannot make a directory in $top"
    clone
    if ! : > "$path/$MARK" || ! mv -- "$path/.git" "$top/.git"; then stop 20 "cannot move the clone into $top"; fi
    path=$top
  fi
  if ! cd -- "$path" || ! "$files" reset -q --hard; then stop 20 "cannot fill $path from the clone"; fi
  subdue
  rm -f -- "$MARK"
}

# name_default: let the ref be the remote's default branch, by its name
name_default() {
  remote ls-remote --symref origin HEAD || explain
  ref=$(printf '%s\n' "$said" | sed -n 's|^ref: refs/heads/\([^[:space:]]*\)[[:space:]]*HEAD$|\1|p')
  [ -n "$ref" ] || stop 24 "$url has no default branch"
}

sync() {
  cd -- "$path" || exit 20
  origin=$(safe_git config --get remote.origin.url)
  [ "$origin" = "$url" ] || stop 25 "$path holds a repository of another origin"
  [ "$ref" != HEAD ] || name_default
  branch=$(safe_git symbolic-ref -q --short HEAD)
  head=$(commit_of HEAD)
  if ref_is_out && { [ -z "$commit" ] || [ "$commit" = "$head" ]; }; then
    subdue
    return
  fi
  if [ -z "$force" ] && [ -n "$("$files" status --porcelain)" ]; then
    stop 26 "$path has local changes: commit and push them, or allow their loss"
  fi
  had=$(safe_git for-each-ref --format='%(objectname)' refs/remotes)
  fetch_ref
  [ -z "$force" ] || overwrite=-f
  # shellcheck disable=SC2086 # commits are words
  [ "$force" = all ] || guard $had
  check_out "$on" "$wanted"
  subdue
}

shallow='' overwrite='' files=safe_git
[ "$depth" = 0 ] || shallow="--depth=$depth"
case $ref in
  -*) stop 24 "a ref cannot begin with -" ;;
esac
command -v git > /dev/null || stop 27 "git is not installed in the container"
! command -v git-lfs > /dev/null || files=large
case $phase in
  clone) clone ;;
  sync) sync ;;
  fill) fill ;;
  head)
    cd -- "$path" || exit 20
    commit_of HEAD || exit 20
    safe_git symbolic-ref -q --short HEAD || :
    ;;
esac
