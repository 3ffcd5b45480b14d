package integration

import ()

// A member that joins asks another for its state by a script, also where the writes that it missed are enough. Those of
// the distributions are in packages that bring a service, so this one tells the joiner where it stands, and no more.
// Server and script speak by lines of text: scripts/wsrep_sst_common.sh in MariaDB's source.
const (
	galeraTransfer = "missed" // wsrep_sst_method
	programsDir    = "bin"

	galeraTransferScript = `#!/bin/sh
role= address= gtid= bypass=0 datadir=
while [ $# -gt 0 ]; do
  case $1 in
    --role) role=$2; shift ;;
    --address) address=$2; shift ;;
    --gtid) gtid=$2; shift ;;
    --datadir) datadir=$2; shift ;;
    --bypass) bypass=1 ;;
    --mysqld-args) break ;;
  esac
  shift
done
if [ "$role" = joiner ]; then
  answer=${datadir%/}.position
  rm -f "$answer"
  echo "ready $answer"
  waited=0
  while [ ! -f "$answer" ]; do
    [ $waited -lt 600 ] || { echo "no member answered" >&2; exit 110; }
    waited=$((waited + 1))
    sleep 0.1
  done
  cat "$answer"
  rm -f "$answer"
  exit
fi
cat >/dev/null # an account for programs that copy by SQL: the server fails if nobody reads it
if [ $bypass = 1 ]; then
  echo continue
  echo "$gtid" >"$address.new" && mv "$address.new" "$address" || exit 1
  echo "done $gtid"
else
  echo "the member lacks more than the others have kept: rebuild it" >&2
  exit 1
fi
`
)

func (c *Cluster) writeGaleraTransfer() error {
	if err := c.workspace.mkdir(programsDir); err != nil {
		return err
	}
	script := c.workspace.path(programsDir, "wsrep_sst_"+galeraTransfer)
	return c.workspace.writeNew(script, galeraTransferScript, 0o700)
}
