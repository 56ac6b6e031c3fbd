# put_environment UID NAME... < TAR: the environment's user, and the names of the variables; the tar holds "record" (name
# and JSON), and below "run" all that shall lie in the tmpfs.
user=$1
shift
begin
own_file "$STATE/user"
printf '%s\n' "$user" > "$STATE/user" || fail 1 "cannot write to $STATE"
need_tmpfs
stage "$RUN"
read_record < "$STAGE/record"

{ sealed_files && printf '%s\n' secrets ca.pem; } | while IFS= read -r path; do
  [ -e "$STAGE/run/$path" ] || rm -f -- "$RUN/$path"
done

# quoted TEXT: print it as a word of the shell
quoted() {
  rest=$1 text=''
  while :; do
    case $rest in
      *"'"*) text=$text${rest%%"'"*}"'\\''" rest=${rest#*"'"} ;;
      *) break ;;
    esac
  done
  printf "'%s'\n" "$text$rest"
}

# What the image and the engine set. No program may be run here: it would see their variables.
(
  eval "$ENVSPEC_IMAGE"
  for name; do
    eval "value=\${$name-} known=\${$name+1}"
    [ -z "$known" ] || printf '[ -n "${ENVSPEC_IMAGE_%s-}" ] || ENVSPEC_IMAGE_%s=%s\n' "$name" "$name" "$(quoted "x$value")"
  done
) > "$STAGE/run/image"
into_tmpfs "$STAGE/run"

# make shells read the variables; where the root filesystem can only be read, our own doors still do
hook="[ ! -r $RUN/env ] || . $RUN/env"
# A login shell's PATH is what the profile made of it, whatever there was before. By its name this comes last.
if [ -d /etc/profile.d ]; then
  (printf '%s\n' "ENVSPEC_IMAGE_PATH=x\$PATH" "$hook" > /etc/profile.d/zz-envspec.sh) 2> /dev/null || :
fi
for file in /etc/bash.bashrc /etc/bashrc /etc/bash/bashrc /etc/zsh/zshenv; do
  if [ -f "$file" ] && ! grep -qF "$hook" "$file"; then
    (printf '%s\n' "$hook" >> "$file") 2> /dev/null || :
  fi
done
# fish reads no such text, so a shell reads it on its behalf; where there is no fish nobody looks at this
vendor=/usr/share/fish/vendor_conf.d
(mkdir -p $vendor && cat > $vendor/zz-envspec.fish << END) 2> /dev/null || :
if test -r $RUN/env
    set -l login (status is-login; and echo 1)
    sh -c '[ -z "\$1" ] || ENVSPEC_IMAGE_PATH=x\$PATH; . $RUN/env; exec env -0' sh \$login < /dev/null |
    while read --null --delimiter = --local name value
        if string match -qr '^[A-Za-z_]\w*\$' -- \$name; and not contains -- \$name _ PWD OLDPWD SHLVL
            set -q \$name; and test "\$\$name" = "\$value"; or set -gx \$name \$value
        end
    end
end
END
# git reads what is forwarded, if anything is, in a bare exec too; the system's file stays the image's, to be added to
if [ -d /etc ] && ! grep -qsF "path = $FORWARDED_GIT" /etc/gitconfig; then
  (printf '[include]\n\tpath = %s\n' "$FORWARDED_GIT" >> /etc/gitconfig) 2> /dev/null || :
fi

# the system's own store trusts the host's CAs too, for what reads no variable. This is what update-ca-certificates
# does, in a hundredth of its time; it does the same again when a package is installed. A certificate is no secret
anchors=/usr/local/share/ca-certificates
bundle=/etc/ssl/certs/ca-certificates.crt
stale=
# mark FILE: a line that no other certificate has, for it is of the signature
mark() {
  tail -n 3 "$1" | head -n 1
}
for anchor in "$anchors"/envspec-*.crt; do
  [ -f "$anchor" ] || continue
  grep -qsF -- "$(mark "$anchor")" "$STAGE"/store/*.crt || stale=1
  find /etc/ssl/certs -lname "$anchor" -exec rm -f {} + 2> /dev/null
  rm -f "$anchor" 2> /dev/null || :
done
if [ -d "$STAGE/store" ] && mkdir -p "$anchors" 2> /dev/null && mv -f "$STAGE"/store/*.crt "$anchors" 2> /dev/null; then
  for anchor in "$anchors"/envspec-*.crt; do
    [ ! -f "$bundle" ] || grep -qF -- "$(mark "$anchor")" "$bundle" || cat "$anchor" >> "$bundle" || :
    name=$(openssl x509 -noout -subject_hash -in "$anchor" 2> /dev/null) || continue
    [ -e "/etc/ssl/certs/$name.0" ] || ln -s "$anchor" "/etc/ssl/certs/$name.0" 2> /dev/null || :
  done
fi
if [ -n "$stale" ] && command -v update-ca-certificates > /dev/null 2>&1; then
  update-ca-certificates > /dev/null 2>&1 || :
fi
keep_record
