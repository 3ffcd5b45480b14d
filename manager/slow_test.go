package manager_test

import (
	"context"
	"regexp"
	"runtime"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// slowLines returns what the log says of slow statements, and empties it.
func (l *live) slowLines() []string {
	var lines []string
	for line := range strings.Lines(l.log.String()) {
		if strings.Contains(line, `msg="slow statement"`) {
			lines = append(lines, line)
		}
	}
	l.log.Reset()
	return lines
}

func here() string {
	_, _, line, _ := runtime.Caller(1)
	return "at=manager/slow_test.go:" + strconv.Itoa(line+1)
}

func TestSlowStatements(t *testing.T) {
	l := openLive(t)
	ctx := t.Context()
	b := l.mustBind(t, accounts{})
	_, err := l.NewInsert(&user{Name: "not slow"}).Exec(ctx)
	require.NoError(t, err)
	assert.Empty(t, l.slowLines(), "nothing says that it is")
	l.says(t, l.bind("accounts", "slow_query = '1ns'"), l.bind("audit", ""))
	require.NoError(t, l.Reload(ctx))
	l.log.Reset()

	at := here()
	_, err = l.NewInsert(&[]user{{Name: "secret"}, {Name: "hunter2"}}).Exec(ctx)
	require.NoError(t, err)
	lines := l.slowLines()
	require.Len(t, lines, 1)
	assert.NotContains(t, lines[0], "hunter2")
	assert.Regexp(t, `level=WARN msg="slow statement" bind=accounts engine=accounts/writer reason=write_query took=\S+ waited=\S+ rows=2 statement="INSERT INTO .*\(\?.* failed=false `+regexp.QuoteMeta(at), lines[0])

	at = here()
	n, err := l.NewSelect((*user)(nil)).Where("name <> ?", "hunter2").Count(ctx)
	require.NoError(t, err)
	assert.EqualValues(t, 2, n)
	lines = l.slowLines()
	require.Len(t, lines, 1)
	assert.Regexp(t, `engine=accounts/reader-1 reason=plain_read .* `+regexp.QuoteMeta(at), lines[0])
	assert.NotContains(t, lines[0], "hunter2")

	require.NoError(t, l.InTx(ctx, accounts{}, func(ctx context.Context) error {
		_, err := l.NewRaw(accounts{}, "UPDATE users SET name = 'x'").Exec(ctx)
		return err
	}))
	lines = l.slowLines()
	require.Len(t, lines, 3)
	for i, want := range []string{`statement=BEGIN`, `reason=transaction .*rows=3 .*UPDATE users SET name = `, `engine=accounts/writer .*statement=COMMIT`} {
		assert.Regexp(t, want, lines[i])
	}
	_, err = l.NewRaw(accounts{}, "SELECT * FROM nowhere").Exec(ctx)
	require.Error(t, err)
	assert.Contains(t, strings.Join(l.slowLines(), ""), "failed=true")
	before := b.Stats().Slow
	sent, written, leftOut := 0, 0, 0
	for began := time.Now(); leftOut == 0 && time.Since(began) < time.Minute; sent++ { // a flood
		require.NoError(t, b.DB().NewRaw("SELECT 1").Scan(ctx, new(int)))
		for _, line := range l.slowLines() {
			written++
			if found := regexp.MustCompile(`left_out=(\d+)`).FindStringSubmatch(line); found != nil {
				leftOut, err = strconv.Atoi(found[1])
				require.NoError(t, err)
			}
		}
	}
	assert.Positive(t, leftOut)
	assert.Equal(t, sent, written+leftOut, "what is not written is counted")
	assert.EqualValues(t, sent, b.Stats().Slow-before)
}

// What a statement has waited for its connection is told apart from what it took.
func TestSlowStatementsThatWait(t *testing.T) {
	l := openLive(t)
	ctx := t.Context()
	l.says(t, l.bind("accounts", "slow_query = '1ns'"), l.bind("audit", ""))
	require.NoError(t, l.Reload(ctx))
	l.log.Reset()
	b := l.mustBind(t, accounts{})
	tx, err := b.DB().BeginTx(ctx, nil) // the only connection that writes
	require.NoError(t, err)
	done := make(chan error, 1)
	go func() {
		_, err := l.NewInsert(&user{Name: "waits"}).Exec(ctx)
		done <- err
	}()
	require.Eventually(t, func() bool { waiting, _ := b.WriterEngine().Waits(); return waiting == 1 }, 10*time.Second, time.Millisecond)
	seen := time.Now()
	require.Eventually(t, func() bool { return time.Since(seen) > 20*time.Millisecond }, 10*time.Second, time.Millisecond)
	least := time.Since(seen)
	require.NoError(t, tx.Rollback()) // which gives the connection over before it returns
	require.NoError(t, <-done)
	var line string
	for _, each := range l.slowLines() {
		if strings.Contains(each, "INSERT INTO") {
			line = each
		}
	}
	found := regexp.MustCompile(`took=(\S+) waited=(\S+)`).FindStringSubmatch(line)
	require.Len(t, found, 3, line)
	took, err := time.ParseDuration(found[1])
	require.NoError(t, err)
	waited, err := time.ParseDuration(found[2])
	require.NoError(t, err)
	assert.GreaterOrEqual(t, waited, least.Round(time.Microsecond)-time.Microsecond)
	assert.LessOrEqual(t, waited, took)
}
