package sqlkind_test

import (
	"fmt"
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"github.com/uptrace/bun/dialect"

	"github.com/bindery-go/bindery/router/sqlkind"
)

func TestWriterFunctions(t *testing.T) {
	rows := map[string]struct {
		globs []string
		query string
		want  sqlkind.Kind
	}{
		"no globs":                                {nil, "SELECT charge_card(1)", read},
		"a name":                                  {[]string{"charge_card"}, "SELECT charge_card(1)", write},
		"another name":                            {[]string{"charge_card"}, "SELECT charge_cards(1)", read},
		"a glob":                                  {[]string{"charge_*"}, "SELECT charge_card(1)", write},
		"a glob and nothing for its star":         {[]string{"charge_*"}, "SELECT charge_(1)", write},
		"a glob and too little":                   {[]string{"charge_*"}, "SELECT charge(1)", read},
		"a glob in upper case":                    {[]string{"Charge_*"}, "SELECT CHARGE_CARD (1)", write},
		"the second glob":                         {[]string{"a*", "charge_*"}, "SELECT charge_card(1)", write},
		"a star in front":                         {[]string{"*_card"}, "SELECT charge_card(1)", write},
		"a star in front, of a name that is":      {[]string{"*_card"}, "SELECT charge_cart(1)", read},
		"stars on both sides":                     {[]string{"*charge*"}, "SELECT do_charge_card(1)", write},
		"a star alone":                            {[]string{"*"}, "SELECT lower(x)", write},
		"a star alone and no call":                {[]string{"*"}, "SELECT x FROM t", read},
		"a question mark":                         {[]string{"charge_?"}, "SELECT charge_a(1)", write},
		"a question mark is one byte":             {[]string{"charge_?"}, "SELECT charge_ab(1)", read},
		"quoted":                                  {[]string{"charge_*"}, `SELECT "charge_card" (1)`, write},
		"a comment before the parenthesis":        {[]string{"charge_*"}, "SELECT charge_card/* ( */(1)", write},
		"in any schema":                           {[]string{"charge_*"}, "SELECT billing.charge_card(1)", write},
		"in its schema":                           {[]string{"billing.charge_*"}, "SELECT billing.charge_card(1)", write},
		"in its schema, quoted":                   {[]string{"billing.charge_*"}, `SELECT "billing"."charge_card"(1)`, write},
		"in its schema, in upper case":            {[]string{"billing.charge_*"}, "SELECT BILLING.CHARGE_CARD(1)", write},
		"in another schema":                       {[]string{"billing.charge_*"}, "SELECT audit.charge_card(1)", read},
		"in another schema, quoted":               {[]string{"billing.charge_*"}, `SELECT "audit".charge_card(1)`, read},
		"in no schema, so perhaps in its own":     {[]string{"billing.charge_*"}, "SELECT charge_card(1)", write},
		"in a schema apart, so it is not read":    {[]string{"billing.charge_*"}, "SELECT audit . charge_card(1)", write},
		"in a schema with a quote in its name":    {[]string{"billing.charge_*"}, `SELECT "a""b".charge_card(1)`, write},
		"in a database's schema":                  {[]string{"billing.charge_*"}, "SELECT shop.billing.charge_card(1)", write},
		"in a schema that is encoded":             {[]string{"billing.charge_*"}, `SELECT U&"\0062illing".charge_card(1)`, write},
		"in a glob of schemas":                    {[]string{"bill*.charge_*"}, "SELECT billing.charge_card(1)", write},
		"in a schema too long to be read":         {[]string{"billing.charge_*"}, `SELECT "` + long + `".charge_card(1)`, write},
		"after an element of an array":            {[]string{"billing.charge_*"}, "SELECT a[1].charge_card(1)", write},
		"a dot at the end of a comment":           {[]string{"billing.charge_*"}, "SELECT 1, -- audit.\n charge_card -- x\n (1)", write},
		"a column of that name":                   {[]string{"charge_*"}, "SELECT charge_card, t.charge_total FROM t", read},
		"a string of that name":                   {[]string{"charge_*"}, "SELECT 'charge_card(1)'", read},
		"a name beyond ASCII":                     {[]string{"größe_*"}, `SELECT "größe_neu"(1)`, write},
		"a dollar sign":                           {[]string{"a$b"}, "SELECT a$b(1)", write},
		"a name that a server cuts short":         {[]string{"charge_*"}, "SELECT charge_" + long + "(1)", write},
		"a long glob":                             {[]string{"a_" + long[:70]}, "SELECT a_" + long[:70] + "(1)", write},
		"an attribute of a value":                 {[]string{"charge_*"}, "SELECT (o).charge_card FROM orders AS o", write},
		"an attribute after comments":             {[]string{"charge_*"}, "SELECT (o) /* x */ -- y\n . charge_card FROM orders AS o", write},
		"an attribute after comments and a word":  {[]string{"charge_*"}, "SELECT (o) x /* y */ . charge_card FROM orders AS o", read},
		"an attribute that is encoded":            {[]string{"charge_*"}, `SELECT (o).U&"\0063harge_card" FROM orders AS o`, write},
		"an attribute of an attribute":            {[]string{"*_card"}, `SELECT (o).a."charge_card" FROM orders AS o`, write},
		"an attribute of an element":              {[]string{"charge_*"}, "SELECT o[1].charge_card FROM t", write},
		"an attribute of a parameter":             {[]string{"charge_?"}, "SELECT $1.charge_a", write},
		"an attribute of a row, by its name":      {[]string{"charge_card"}, "SELECT o.charge_card FROM orders AS o", write},
		"an attribute of a row, in quotes":        {[]string{"billing.charge_card"}, `SELECT "o"."charge_card" FROM orders AS "o"`, write},
		"an attribute of a row, in upper case":    {[]string{"charge_card"}, "SELECT o.CHARGE_CARD FROM orders AS o", write},
		"an attribute with a short name":          {[]string{"pay"}, "SELECT o . pay FROM orders AS o", write},
		"a short attribute at the end":            {[]string{"pay"}, "SELECT 1 FROM orders AS o ORDER BY o.pay", write},
		"an attribute of another name":            {[]string{"charge_card"}, "SELECT o.charge_cards, (o).charge_car FROM orders AS o", read},
		"the server's own as well":                {[]string{"charge_*"}, "SELECT nextval('s')", write},
		"a table's columns, which look like call": {[]string{"w"}, "WITH w (a) AS (SELECT 1) SELECT * FROM w", read},
	}
	for reason, row := range rows {
		t.Run(reason, func(t *testing.T) {
			c, err := sqlkind.New(dialect.PG, row.globs...)
			require.NoError(t, err)
			assert.Equal(t, row.want, c.Of(row.query), row.query)
		})
	}
}

func TestWriterFunctionsOfOtherDialects(t *testing.T) {
	my, err := sqlkind.New(dialect.MySQL, "billing.charge_*")
	require.NoError(t, err)
	assert.Equal(t, write, my.Of("SELECT `billing`.`charge_card`(1)"))
	assert.Equal(t, read, my.Of("SELECT `audit`.`charge_card`(1)"))

	assert.Equal(t, write, my.Of("SELECT chargé_card(1)"), "MySQL may ignore the accent")
	assert.Equal(t, write, my.Of("SELECT `chargé_card` (1)"))
	assert.Equal(t, read, my.Of("SELECT é FROM é WHERE a IN (1)"))

	digits, err := sqlkind.New(dialect.MySQL, "1_charge*")
	require.NoError(t, err)
	assert.Equal(t, write, digits.Of("SELECT 1_charge_card(1)"))

	bracketed, err := sqlkind.New(dialect.SQLite, "billing.charge_*")
	require.NoError(t, err)
	assert.Equal(t, write, bracketed.Of("SELECT [billing].charge_card(1)"))
	assert.Equal(t, read, bracketed.Of("SELECT [audit].charge_card(1)"))

	lite, err := sqlkind.New(dialect.SQLite, "charge_*")
	require.NoError(t, err)
	assert.Equal(t, write, lite.Of("SELECT [charge_card](1)"))
	assert.Equal(t, write, lite.Of("SELECT 'charge_card'(1)"))
}

func TestMalformedGlobsAreNamed(t *testing.T) {
	for glob, reason := range map[string]string{
		"":               "empty",
		"charge_[ab]":    `'[' is no part of a name`,
		"charge card":    `' ' is no part of a name`,
		"charge_card()":  `'(' is no part of a name`,
		`"charge"`:       `'"' is no part of a name`,
		".charge":        "no schema before the dot",
		"billing.":       "no name after the dot",
		"a.billing.name": "more than one dot",
		"a\x00":          `'\x00' is no part of a name`,
	} {
		t.Run(glob, func(t *testing.T) {
			c, err := sqlkind.New(dialect.PG, "fine_*", glob)
			assert.Nil(t, c)
			var bad *sqlkind.GlobError
			require.ErrorAs(t, err, &bad)
			assert.Equal(t, sqlkind.GlobError{Glob: glob, Reason: reason}, *bad)
			assert.ErrorContains(t, err, fmt.Sprintf("sqlkind: writer function %q: %s", glob, reason))
		})
	}
}

func TestEveryMalformedGlobIsReported(t *testing.T) {
	_, err := sqlkind.New(dialect.SQLite, "a b", "fine", "c d")
	assert.ErrorContains(t, err, `"a b"`)
	assert.ErrorContains(t, err, `"c d"`)
	assert.NotContains(t, err.Error(), `"fine"`)
}

func TestZeroClassifiersCallEverythingAWrite(t *testing.T) {
	var none *sqlkind.Classifier
	assert.Equal(t, write, none.Of("SELECT 1"))
	assert.Equal(t, write, new(sqlkind.Classifier).Of("SELECT 1"))
}

func TestClassifiersDoNotShareFunctions(t *testing.T) {
	a, err := sqlkind.New(dialect.PG, "aa_*")
	require.NoError(t, err)
	b, err := sqlkind.New(dialect.PG, "bb_*")
	require.NoError(t, err)
	assert.Equal(t, write, a.Of("SELECT aa_x()"))
	assert.Equal(t, read, a.Of("SELECT bb_x()"))
	assert.Equal(t, write, b.Of("SELECT bb_x()"))
	assert.Equal(t, read, sqlkind.Of(dialect.PG, "SELECT aa_x(), bb_x()"))
}

func TestClassifierIsSafeForConcurrentUse(t *testing.T) {
	c, err := sqlkind.New(dialect.PG, "charge_*")
	require.NoError(t, err)
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for range 200 {
				assert.Equal(t, write, c.Of("SELECT billing.charge_card(1)"))
				assert.Equal(t, read, c.Of("SELECT 1 FROM t"))
			}
		})
	}
	wg.Wait()
}
