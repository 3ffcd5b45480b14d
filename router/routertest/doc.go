// Package routertest is a deterministic primary with replicas in memory: lag, faults, promotion.
//
// It tests what programs do when a replica trails, hangs, dies or becomes the primary, with real SQL
// (SQLite's) and, inside a testing/synctest bubble, on a clock that costs nothing:
//
//	synctest.Test(t, func(t *testing.T) {
//		c := routertest.New(t, 2)
//		c.Replicas()[0].SetLag(200 * time.Millisecond)
//		m, err := manager.New(ctx, &manager.Config{ … c.WriterURI(), c.ReaderURIs() … },
//			manager.WithDrivers(c.Drivers()))
//		…
//		time.Sleep(200*time.Millisecond - 1) // replica-1 does not show the write yet
//		time.Sleep(1)                        // now it does
//	})
//
// # Replication
//
// A write that commits on the primary becomes one entry of its log: the statements of an autocommit
// text or of a transaction, with their arguments. A position is a number of entries. A replica shows
// an entry from the very nanosecond at which its commit is as old as the replica's lag, whoever
// looks: there is no goroutine that replays, and nothing to wait for.
//
// Replicas run the statements again. Statements must do the same wherever they are run: a random(), or
// a datetime('now'), which is the machine's time and not the bubble's, differs between servers. A
// statement that fails on a replica fails the test.
//
// # Servers
//
// Each server is a SQLite database of its own, shared by its connections. Readers block nobody and
// nobody blocks them: a transaction works on a copy from its first write on. One transaction writes
// at a time; another that wants to waits until the first one ends, its connection breaks or its
// context ends. A single statement that writes and returns rows commits when its rows are closed.
// Transactions are read committed, or show one state from repeatable read on.
//
// What belongs to one connection in SQLite is lost here: temporary tables, attached databases,
// last_insert_rowid() as SQL (the driver's LastInsertId is right), and pragmas. Foreign keys are checked.
// A statement cannot be interrupted while SQLite is at work on it.
//
// Connections of a [binds.Reader] refuse writes, on a promoted replica too; replicas refuse those of
// everybody.
//
// A commit is visible at once, or, by [Server.SetCommitWait], only when replicas may show it already.
//
// # Bubbles
//
// Make the cluster, and open what uses it, inside the bubble. Nothing here waits in a way that stops the
// bubble's clock. Code under test may: while one goroutine waits for a frozen server with a sync.Mutex
// held, others that want the mutex stop the clock, and the test hangs; so do two calls of
// [binds.Engine.Probe] on one engine. Outside a bubble everything works on the real clock; [Server.PauseReplay] then does
// what a lag would make flaky.
package routertest
