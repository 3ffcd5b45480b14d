package binds_test

import (
	"context"
	"errors"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/bindery-go/bindery/binds"
)

func TestDriversZeroValue(t *testing.T) {
	var ds binds.Drivers
	assert.Empty(t, ds.Schemes())
	_, err := ds.Open(context.Background(), "main", "fake://h")
	require.Error(t, err)
	ds.Register(&fakeDriver{}, "fake", "another")
	assert.Equal(t, []string{"another", "fake"}, ds.Schemes())
	for _, uri := range []string{"fake://h", "FAKE://h", "another:x"} {
		e, err := ds.Open(context.Background(), "main", uri)
		require.NoError(t, err)
		require.NoError(t, e.Close())
	}
}

func TestRegisterPanics(t *testing.T) {
	for reason, row := range map[string]struct {
		driver  binds.Driver
		schemes []string
		text    string
	}{
		"no driver":           {nil, []string{"x"}, "binds: Register of a nil driver"},
		"a taken scheme":      {&fakeDriver{}, []string{"fake"}, `binds: Register called twice for scheme "fake"`},
		"one scheme twice":    {&fakeDriver{}, []string{"x", "x"}, `binds: Register called twice for scheme "x"`},
		"upper case":          {&fakeDriver{}, []string{"Fake2"}, `binds: Register of "Fake2", which is no scheme in lower case`},
		"more than a scheme":  {&fakeDriver{}, []string{"fake2://"}, `binds: Register of "fake2://", which is no scheme in lower case`},
		"an empty scheme":     {&fakeDriver{}, []string{""}, `binds: Register of "", which is no scheme in lower case`},
		"begins with a digit": {&fakeDriver{}, []string{"2fake"}, `binds: Register of "2fake", which is no scheme in lower case`},
	} {
		t.Run(reason, func(t *testing.T) {
			ds := fakeDrivers(&fakeDriver{})
			assert.PanicsWithValue(t, row.text, func() { ds.Register(row.driver, row.schemes...) })
		})
	}
}

func TestDriversOpenErrors(t *testing.T) {
	const noScheme = `binds: open "main": malformed URI: it does not begin with a scheme such as postgres://`
	const goMySQL = `binds: open "main": this is the DSN of github.com/go-sql-driver/mysql: write `
	const libpq = `binds: open "main": this is libpq's form: write `
	none, fake := new(binds.Drivers), fakeDrivers(&fakeDriver{})
	for reason, row := range map[string]struct {
		drivers *binds.Drivers
		uri     string
		want    string
	}{
		"a forgotten import":           {none, "postgres://app:s3cret@db1/shop", `binds: open "main": no driver for scheme "postgres" (forgotten import of pgbind?)`},
		"its other name":               {none, "PostgreSQL://app:s3cret@db1/shop", `binds: open "main": no driver for scheme "postgresql" (forgotten import of pgbind?)`},
		"MySQL":                        {fake, "mysql://app:s3cret@db1/shop", `binds: open "main": no driver for scheme "mysql" (forgotten import of mysqlbind?)`},
		"MariaDB":                      {fake, "mariadb://app:s3cret@db1/shop", `binds: open "main": no driver for scheme "mariadb" (forgotten import of mysqlbind?)`},
		"SQLite, opaque":               {fake, "sqlite:app.db", `binds: open "main": no driver for scheme "sqlite" (forgotten import of sqlitebind?)`},
		"a misspelt scheme":            {none, "postgers://app:s3cret@db1", `binds: open "main": no driver for scheme "postgers" (did you mean "postgres"?)`},
		"a misspelt registered scheme": {fake, "fakee://app:s3cret@db1", `binds: open "main": no driver for scheme "fakee" (did you mean "fake"?)`},
		"nothing registered":           {none, "oracle://app:s3cret@db1", `binds: open "main": no driver for scheme "oracle" (no driver is imported)`},
		"another database":             {fake, "oracle://app:s3cret@db1", `binds: open "main": no driver for scheme "oracle" (have fake)`},
		"empty":                        {fake, "", `binds: open "main": the URI is empty`},
		"a password alone":             {fake, "s3cret", noScheme},
		"no scheme":                    {fake, "s3cret@host/db", noScheme},
		"no scheme but a port":         {fake, "s3cret@host:5432/db", noScheme},
		"the DSN of go-sql-driver":     {fake, "root:s3cret@tcp(h)/db", goMySQL + "mysql://user:…@h/db"},
		"a password before a colon":    {fake, "s3cret:@tcp(h)/db", goMySQL + "mysql://user:…@h/db"},
		"the DSN of libpq":             {fake, "host=db1 user=app password=s3cret", libpq + "postgres://user:…@db1/database"},
		"a colon in the DSN of libpq":  {fake, "password=s3:cret", libpq + "postgres://user:…@host/database"},
		"blanks before":                {fake, " postgres://app:s3cret@db1", `binds: open "main": malformed URI: something stands before postgres://: give the URI alone, without quotes and blanks`},
		"nothing before the colon":     {fake, "://app:s3cret@db1", noScheme},
		"JDBC":                         {fake, "jdbc:postgresql://db1/shop?password=s3cret", `binds: open "main": this is JDBC's form: write postgres://user:…@db1/shop`},
		"no URI but a path":            {fake, "/var/lib/s3cret.db", `binds: open "main": this is no URI but a path: write sqlite:///absolute/path`},
		"a scheme in another alphabet": {fake, "pöstgres://app:s3cret@db1", noScheme},
	} {
		t.Run(reason, func(t *testing.T) {
			_, err := row.drivers.Open(context.Background(), "main", row.uri)
			var open *binds.OpenError
			require.ErrorAs(t, err, &open)
			assert.Equal(t, "main", open.Engine)
			assert.EqualError(t, err, row.want)
			assert.NotContains(t, err.Error(), "s3")

			want := strings.Replace(row.want, `"main"`, `""`, 1)
			assert.EqualError(t, row.drivers.Check(context.Background(), row.uri), want)
		})
	}
}

// TestDriversCheck makes nothing that would have to be closed.
func TestDriversCheck(t *testing.T) {
	d := &fakeDriver{}
	require.NoError(t, fakeDrivers(d).Check(context.Background(), "fake://h"))
	assert.Zero(t, d.connectors.Load())

	d.openErr = errors.New("the host is missing")
	require.ErrorIs(t, fakeDrivers(d).Check(context.Background(), "fake://h"), d.openErr)
}

func TestDriversOpenErrorKeepsTheCause(t *testing.T) {
	cause := errors.New("the host is missing")
	_, err := fakeDrivers(&fakeDriver{openErr: cause}).Open(context.Background(), "a/reader-1", "fake://")
	require.ErrorIs(t, err, cause)
	assert.EqualError(t, err, `binds: open "a/reader-1": the host is missing`)

	_, err = new(binds.Drivers).Open(context.Background(), "main", "oracle://h")
	var none *binds.NoDriverError
	require.ErrorAs(t, err, &none)
	assert.Equal(t, "oracle", none.Scheme)
}

func TestDriversConcurrently(t *testing.T) {
	var ds binds.Drivers
	var wg sync.WaitGroup
	for i := range 8 {
		wg.Go(func() {
			scheme := "fake" + strconv.Itoa(i)
			ds.Register(&fakeDriver{}, scheme)
			e, err := ds.Open(context.Background(), "main", scheme+"://h")
			assert.NoError(t, err)
			assert.Contains(t, ds.Schemes(), scheme)
			assert.NoError(t, e.Close())
		})
	}
	wg.Wait()
	assert.Len(t, ds.Schemes(), 8)
}
