package manager

import (
	"context"
	"crypto/sha256"
	"os"
	"os/signal"
	"time"
)

// watchEvery is how often [Watch] looks whether the file has changed.
const watchEvery = 2 * time.Second

// Watch has a manager of [Open] read its file again, as [DBManager.Reload] does, when its content changes and when the process gets
// SIGHUP. It looks at the content every two seconds, so that it sees also what tells nobody: a file that a mounted directory or a link
// puts in its place. It reads no more than that file: what cursor_keys_file and the like name is read again with it, on SIGHUP at the latest.
//
// A change that cannot be taken is logged with all that is wrong, changes nothing, and is tried again with the next change or signal. On Windows
// there is no SIGHUP.
func Watch() Option { return func(o *options) { o.watches = true } }

// watch begins to look at the file, which l was read from.
func (m *DBManager) watch(l *loader) {
	if !m.opts.watches {
		return
	}
	hangup := make(chan os.Signal, 1)
	notifyHangup(hangup)
	m.leaving.Go(func() {
		defer signal.Stop(hangup)
		tick := time.NewTicker(watchEvery)
		defer tick.Stop()
		for last := l.sum; ; {
			select {
			case <-m.closing.Done():
				return
			case <-hangup:
				last = m.reread(last, true)
			case <-tick.C:
				last = m.reread(last, false)
			}
		}
	})
}

// reread reloads the file if it has changed, or anyway. It returns what the file holds.
func (m *DBManager) reread(last [sha256.Size]byte, anyway bool) [sha256.Size]byte {
	text, err := os.ReadFile(m.file)
	if err != nil {
		if anyway {
			m.logger.Error("configuration not read again: everything stays as it is", "file", m.file, "error", err)
		}
		return last // it may be being replaced
	}
	sum := sha256.Sum256(text)
	if sum == last && !anyway {
		return last
	}
	ctx, cancel := context.WithTimeout(m.closing, reloadTimeout)
	defer cancel()
	if err := m.Reload(ctx); err != nil && m.closing.Err() == nil {
		m.logger.Error("configuration not taken: everything stays as it is", "file", m.file, "error", err)
	}
	return sum
}

// reloadTimeout bounds how long new writers may take to answer.
const reloadTimeout = time.Minute
