# Why git could not read a repository, told from its own words in the C locale. Comes before git.sh.

# reason SAID: print the exit code that git's words stand for (21 network, 22 credentials, 23 no repository, 24 no
# ref), or nothing. What the other side wrote for people is not taken for git's own words.
reason() {
  case $(printf '%s\n' "$1" | grep -v '^remote: ') in
    *'Remote branch '*' not found in '* | *"couldn't find remote ref"* | *'not our ref'* | *'unadvertised object'*)
      echo 24 ;;
    *'could not read Username'* | *'could not read Password'* | *'Authentication failed'* | *'returned error: 401'* | \
      *'returned error: 403'* | *'Permission denied ('* | *'Host key verification failed'* | \
      *'Too many authentication failures'* | *'No supported authentication methods'*)
      echo 22 ;;
    *'epository not found'* | *"fatal: repository '"*"' not found"* | *"fatal: repository '"*"' does not exist"* | \
      *'not appear to be a git repository'* | *'could not be found or you don'* | *'repository not exported'* | \
      *'is this a git repository'* | *'returned error: 404'* | *'returned error: 410'*)
      echo 23 ;;
    *'Could not resolve'* | *'unable to look up'* | *'Name or service not known'* | *'in name resolution'* | \
      *'ouldn'?'t connect'* | *'ailed to connect'* | *'nable to connect'* | *'Could not connect'* | \
      *'Connection refused'* | *'Connection reset'* | *'Connection closed'* | *'Connection timed out'* | \
      *'Operation timed out'* | *'Operation too slow'* | *'unreachable'* | *'No route to host'* | *'Empty reply'* | \
      *'certificate'* | *'SSL'* | *'TLS'* | *'gnutls_'* | *'from proxy after CONNECT'* | *'returned error: 407'* | \
      *'returned error: 429'* | *'returned error: 5'[0-9][0-9]* | *'RPC failed'* | *'early EOF'* | \
      *'hung up unexpectedly'*)
      echo 21 ;;
    *'Could not read from remote repository'*) echo 22 ;;
  esac
}

# explain [WHAT]: end with a message that tells why the origin, or something else of it, could not be read. Where
# git's words leave that open, the origin is looked at once more.
explain() {
  what=${1:-$url}
  printf '%s\n' "$said"
  code=$(reason "$said")
  if [ -z "$code" ] && [ -z "${1-}" ]; then
    if ! remote ls-remote -q -- "$url" HEAD; then
      printf '%s\n' "$said"
      code=$(reason "$said")
    elif [ -n "$ref" ] && ! looks_like_commit "$ref" && remote ls-remote -q -- "$url" "$ref" && [ -z "$said" ]; then
      code=24
    fi
  fi
  case $code in
    21) stop 21 "the network does not lead to $what from inside" ;;
    22) stop 22 "$what wants credentials that are not there, or not right" ;;
    23) stop 23 "there is no repository at $what" ;;
    24) stop 24 "$what has no branch, tag or commit ${ref:-$commit}" ;;
  esac
  stop 20 "git could not read $what"
}
