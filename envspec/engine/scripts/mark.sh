# mark TOKEN: remember this moment, so that it can be told later what was changed since.
begin
mkdir -p "$STATE/marks" && : > "$STATE/marks/$1" || fail 1 "cannot write to $STATE"
