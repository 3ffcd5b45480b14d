package manager_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"time"

	"github.com/bindery-go/bindery/manager"
)

// A readiness page that may be asked as often as anybody likes.
func ExampleDBManager_Checker() {
	m, done := exampleManager()
	defer done()
	checker := m.Checker(2 * time.Second)
	page := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if err := checker.Check(r.Context()).Ready(); err != nil {
			w.WriteHeader(http.StatusServiceUnavailable)
		}
	})
	for range 3 { // the servers are asked once
		w := httptest.NewRecorder()
		page.ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/ready", nil))
		fmt.Println(w.Code)
	}
	one, two := checker.Check(context.Background()), checker.Check(context.Background())
	fmt.Println(one == two)
	// Output:
	// 200
	// 200
	// 200
	// true
}

// Names of locks that come from clients are refused beyond the limit of their bind.
func ExampleLockLimits() {
	m, done := exampleManager()
	defer done()
	ctx := context.Background()
	var held []*manager.Lock
	for i := range 25 {
		l, err := m.Lock(ctx, Accounts{}, fmt.Sprint("basket ", i))
		if errors.Is(err, manager.ErrTooManyLocks) {
			break
		}
		held = append(held, l)
	}
	b, err := m.Bind(Accounts{})
	if err != nil {
		panic(err)
	}
	fmt.Println(len(held), b.Stats().Locks, b.Stats().LocksRefused)
	for _, l := range held {
		if err := l.Unlock(); err != nil {
			panic(err)
		}
	}
	// Output: 20 20 1
}
