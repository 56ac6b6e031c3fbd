# repo PATH COMMIT: what one repository is, asked by its owner. Writes nothing, takes no lock. A line "=NAME" begins each
# part of the answer.
commit=$2
export LC_ALL=C GIT_CONFIG_NOSYSTEM=1 GIT_OPTIONAL_LOCKS=0
unset GIT_DIR GIT_WORK_TREE GIT_INDEX_FILE
cd -- "$1" || exit 0

safe_git() {
  git -c safe.directory='*' -c safe.bareRepository=explicit -c core.hooksPath=/dev/null -c core.fsmonitor=false "$@" \
    2> /dev/null
}
part() {
  printf '=%s\n' "$1"
}

safe_git rev-parse --git-dir > /dev/null || exit 0
# Only git-lfs can tell whether a large file is the one that the index names.
lfs=''
! command -v git-lfs > /dev/null || lfs='filter.lfs.clean=git-lfs clean -- %f'
part origin
safe_git config --get remote.origin.url
part status
safe_git ${lfs:+-c "$lfs"} status --porcelain=v2 --branch --untracked-files=normal --ignore-submodules=none
part unpushed
if safe_git rev-parse -q --verify HEAD > /dev/null; then
  safe_git rev-list --count HEAD --branches --not --remotes --tags --glob=refs/envspec
fi
if safe_git rev-parse -q --verify refs/stash > /dev/null; then safe_git rev-list -g --count refs/stash; fi
if [ -n "$commit" ]; then
  part descends
  if safe_git merge-base --is-ancestor "$commit" HEAD; then echo yes; else echo no; fi
fi
