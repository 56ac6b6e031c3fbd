# git PHASE URL PATH REF DEPTH COMMIT FORCE: the part of sync_repo that runs as the owner of the work tree. FORCE is
# '', 'made' (local changes may be overwritten) or 'all' (commits may be lost too).
# Exit codes: 20 anything else, 21 the host is unknown or unreachable, 22 credentials, 23 no such repository,
# 24 no such ref or commit, 25 another origin, 26 local changes.
phase=$1 url=$2 path=$3 ref=$4 depth=$5 commit=$6 force=$7
export LC_ALL=C GIT_CONFIG_NOSYSTEM=1 GIT_TERMINAL_PROMPT=0 GIT_ALLOW_PROTOCOL=https:http:ssh:git:file
export GIT_CONFIG_GLOBAL=/var/lib/envspec/gitconfig
export GIT_SSH_COMMAND="${GIT_SSH_COMMAND:-ssh -o BatchMode=yes}"
unset GIT_DIR GIT_WORK_TREE GIT_INDEX_FILE

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
  said=$(safe_git "$@" 2>&1)
}

# explain: end with a message that tells why the origin could not be read
explain() {
  printf '%s\n' "$said"
  case $said in
    *'Could not resolve host'* | *'Name or service not known'* | *'Temporary failure in name resolution'*)
      stop 21 "the host of $url is unknown here: check the URL and the container's name resolution" ;;
    *'Could not connect'* | *'Connection refused'* | *'Connection timed out'* | *'unreachable'*)
      stop 21 "the host of $url cannot be reached from the container" ;;
    *'could not read Username'* | *'Authentication failed'* | *'Permission denied'* | *'error: 403'* | *'error: 401'*)
      stop 22 "$url wants credentials that the container does not have" ;;
    *'ertificate'*) stop 21 "the certificate of $url is not trusted in the container" ;;
    *'Remote branch'*'not found'* | *"couldn't find remote ref"* | *'not our ref'* | *'unadvertised object'*)
      stop 24 "$url has no branch, tag or commit ${ref:-$commit}" ;;
    *'not found'* | *'does not exist'* | *'not appear to be a git repository'*) stop 23 "there is no repository at $url" ;;
  esac
  stop 20 "git could not read $url"
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

# bring COMMIT: make sure that a commit is here, fetching what it takes
bring() {
  commit_of "$1" > /dev/null && return 0
  remote fetch -q ${shallow:+"$shallow"} origin "$1" && return 0
  remote fetch -q --tags origin || explain
  commit_of "$1" > /dev/null || stop 24 "$url has no commit $1"
}

# check_out BRANCH TARGET: put HEAD at a target, on a branch unless that is ''
check_out() {
  if [ -n "$1" ]; then
    safe_git checkout -q ${overwrite:+"$overwrite"} -B "$1" "$2" -- || stop 26 "cannot check out $1"
    safe_git branch -q --set-upstream-to="origin/$1" "$1" > /dev/null 2>&1 || :
  else
    safe_git checkout -q ${overwrite:+"$overwrite"} --detach "$2" -- || stop 26 "cannot check out $2"
  fi
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

# guard: stop where commits would lose their last name
guard() {
  set --
  [ -n "$branch" ] || set -- HEAD
  [ -z "$on" ] || [ -z "$(commit_of "refs/heads/$on")" ] || set -- "$@" "refs/heads/$on"
  [ $# -gt 0 ] || return 0
  count=$(safe_git rev-list --count "$@" --not "$wanted" --remotes --tags --exclude="${on:-/}" --branches) || return 0
  [ "$count" = 0 ] || stop 26 "$path has $count commits that no remote has: push them, or allow their loss"
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
  if ref_is_out && { [ -z "$commit" ] || [ "$commit" = "$head" ]; }; then return; fi
  if [ -z "$force" ] && [ -n "$(safe_git status --porcelain)" ]; then
    stop 26 "$path has local changes: commit and push them, or allow their loss"
  fi
  fetch_ref
  [ -z "$force" ] || overwrite=-f
  [ "$force" = all ] || guard
  check_out "$on" "$wanted"
}

shallow='' overwrite=''
[ "$depth" = 0 ] || shallow="--depth=$depth"
case $ref in
  -*) stop 24 "a ref cannot begin with -" ;;
esac
command -v git > /dev/null || stop 20 "git is not installed in the container"
case $phase in
  clone) clone ;;
  sync) sync ;;
  fill) cd -- "$path" && safe_git reset -q --hard ;;
  head)
    cd -- "$path" || exit 20
    commit_of HEAD || exit 20
    safe_git symbolic-ref -q --short HEAD || :
    ;;
esac
