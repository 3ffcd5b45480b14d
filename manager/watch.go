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
// puts in its place. A change is taken when two looks in a row have found the same, so that no file is taken half written; on SIGHUP at once.
// It reads no more than that file: what cursor_keys_file and the like name is read again with it, on SIGHUP at the latest.
//
// A change that cannot be taken is logged with all that is wrong, and changes nothing. It is tried again with the next change or signal, and by itself after 4
// seconds, and then ever more rarely, every 5 minutes at last: a new writer may not have answered yet, or another file that the configuration names may be put
// right. The same error is logged once. A file that is gone changes nothing either, and is logged once. On Windows there is no SIGHUP.
func Watch() Option { return func(o *options) { o.watches = true } }

// watch begins to look at the file, which l was read from.
func (m *DBManager) watch(l *loader) {
	if !m.opts.watches {
		return
	}
	hangup := make(chan os.Signal, 1)
	notifyHangup(hangup)
	w := &fileWatch{m: m, taken: l.sum}
	m.leaving.Go(func() {
		defer signal.Stop(hangup)
		tick := time.NewTicker(watchEvery)
		defer tick.Stop()
		for {
			select {
			case <-m.closing.Done():
				return
			case <-hangup:
				w.take()
			case <-tick.C:
				w.look()
			}
		}
	})
}

// A fileWatch looks at the manager's file.
type fileWatch struct {
	m     *DBManager
	taken [sha256.Size]byte // of what was taken, or refused, the last time
	found [sha256.Size]byte // of what the last look has found
	gone  int               // looks in a row that have found no file

	told  string // the error of the latest Reload; "": it had none
	pause int    // looks between the latest two tries of what was not taken
	again int    // looks until the next; 0: all was taken
}

// How many looks at first and at last pass before what was not taken is tried again.
const (
	firstPause = 2
	lastPause  = int(5 * time.Minute / watchEvery)
)

// look takes what two looks in a row have found to be new.
func (w *fileWatch) look() {
	text, err := readAgain(w.m.file)
	if err != nil {
		if w.gone++; w.gone == 2 { // at first it may be being replaced
			w.m.logger.Warn("configuration cannot be read: everything stays as it is, changes are not seen", "file", w.m.file, "error", err)
		}
		return
	}
	w.gone = 0
	before := w.found
	switch w.found = sha256.Sum256(text); {
	case w.found != w.taken:
		if w.found == before {
			w.take()
		}
	case w.again > 0:
		if w.again--; w.again == 0 {
			w.take()
		}
	}
}

// take reloads the file.
func (w *fileWatch) take() {
	m := w.m
	if text, err := readAgain(m.file); err == nil { // what comes after it is found by the next look
		w.taken = sha256.Sum256(text)
	}
	ctx, cancel := context.WithTimeout(m.closing, reloadTimeout)
	defer cancel()
	err := m.Reload(ctx)
	switch {
	case err == nil:
		w.told, w.pause, w.again = "", 0, 0
		return
	case m.closing.Err() != nil:
		return
	case err.Error() != w.told:
		w.told = err.Error()
		m.logger.Error("configuration not taken: everything stays as it is, and it is tried again", "file", m.file, "error", err)
	}
	w.pause = min(max(2*w.pause, firstPause), lastPause)
	w.again = w.pause
}

// readAgain reads a file. What gives its content only once, a pipe, has no more to give, and who opens it may wait for ever.
func readAgain(file string) ([]byte, error) {
	if err := regular(file); err != nil {
		return nil, err
	}
	return os.ReadFile(file)
}

// reloadTimeout bounds how long new writers may take to answer.
const reloadTimeout = time.Minute
