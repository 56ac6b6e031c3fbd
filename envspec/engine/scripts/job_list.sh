# job_list: describe all jobs.
for link in "$JOBS"/*; do
  [ ! -L "$link" ] || describe "$link"
done
