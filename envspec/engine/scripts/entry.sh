# entry WORD...: become /bin/sh WORD... with nothing of what the image or the container's user could have set: root looks
# programs up where only root can put any. How the image's variables would have been goes along as shell text, for what
# is run as a user. ENVSPEC_LOADER sets those that the engine was told to keep from the loader of this very shell.
ENVSPEC_IMAGE=$(
  unset LD_PRELOAD LD_LIBRARY_PATH LD_AUDIT PWD OLDPWD ENVSPEC_STEP
  eval "${ENVSPEC_LOADER-}"
  unset ENVSPEC_LOADER
  export -p
)
exec /usr/bin/env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin "ENVSPEC_STEP=${ENVSPEC_STEP-}" "ENVSPEC_IMAGE=$ENVSPEC_IMAGE" \
  /bin/sh "$@"
