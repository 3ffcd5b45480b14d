package manager_test

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/bindery-go/bindery/manager"
)

func ExampleDBManager_WithLock() {
	m, done := exampleManager()
	defer done()
	err := m.WithLock(context.Background(), Accounts{}, "monthly report", func(ctx context.Context) error {
		// Nobody else is here. If the lock is lost, ctx ends, and so do its queries.
		_, err := m.NewInsert(&User{Name: "Alice"}).Exec(ctx)
		return err
	})
	fmt.Println(err)
	// Output: <nil>
}

func ExampleDBManager_Lock() {
	m, done := exampleManager()
	defer done()
	ctx := context.Background()
	lock, err := m.Lock(ctx, Accounts{}, "monthly report")
	if err != nil {
		panic(err)
	}
	fmt.Println(lock.Name(), lock.Context().Err())
	fmt.Println(lock.Unlock(), lock.Context().Err())
	// Output:
	// monthly report <nil>
	// <nil> context canceled
}

// A job that runs on every machine does its work on one of them.
func ExampleTryOnly() {
	m, done := exampleManager()
	defer done()
	ctx := context.Background()
	job := func() {
		err := m.WithLock(ctx, Accounts{}, "nightly", func(context.Context) error {
			fmt.Println("at work")
			second := m.WithLock(ctx, Accounts{}, "nightly", func(context.Context) error { panic("it is locked") }, manager.TryOnly())
			fmt.Println("meanwhile elsewhere:", errors.Is(second, manager.ErrLockTimeout))
			return nil
		}, manager.TryOnly())
		if err != nil {
			panic(err)
		}
	}
	job()
	// Output:
	// at work
	// meanwhile elsewhere: true
}

func ExampleWait() {
	m, done := exampleManager()
	defer done()
	ctx := context.Background()
	lock, err := m.Lock(ctx, Accounts{}, "nightly")
	if err != nil {
		panic(err)
	}
	_, err = m.Lock(ctx, Accounts{}, "nightly", manager.Wait(time.Second))
	var timeout *manager.LockError
	fmt.Println(errors.As(err, &timeout), timeout.Bind, timeout.Name, timeout.Holder != "", timeout.Err)
	fmt.Println(lock.Unlock())
	// Output:
	// true accounts nightly true the lock was not free in time
	// <nil>
}

// What a lock protects refuses a holder that has lost it without knowing.
func ExampleLock_Fence() {
	m, done := exampleManager()
	defer done()
	var stored uint64
	write := func(fence uint64) bool {
		if fence < stored { // in SQL: UPDATE … WHERE fence <= ?
			return false
		}
		stored = fence
		return true
	}
	var fences []uint64
	for range 2 {
		lock, err := m.Lock(context.Background(), Accounts{}, "ledger")
		if err != nil {
			panic(err)
		}
		fence, ok := lock.Fence()
		if !ok {
			panic("not on this database")
		}
		fences = append(fences, fence)
		if err := lock.Unlock(); err != nil {
			panic(err)
		}
	}
	fmt.Println("the second holder:", write(fences[1]))
	fmt.Println("the first, who was asleep:", write(fences[0]))
	// Output:
	// the second holder: true
	// the first, who was asleep: false
}

func ExampleLock_Unlock() {
	m, done := exampleManager()
	defer done()
	lock, err := m.Lock(context.Background(), Accounts{}, "nightly")
	if err != nil {
		panic(err)
	}
	_ = m.Close() // or the server goes away: the lock is lost
	fmt.Println(errors.Is(context.Cause(lock.Context()), manager.ErrLockLost))
	fmt.Println(lock.Unlock())
	// Output:
	// true
	// manager: lock "nightly" of bind "accounts": the lock was lost: manager: the manager is closed
}
