package manager_test

import (
	"encoding/json"
	"errors"
	"reflect"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/bindery-go/bindery/binds"
	"github.com/bindery-go/bindery/manager"
	"github.com/bindery-go/bindery/router/routertest"
)

// fill puts the text into all that v has, errors too, but for names of binds and engines.
func fill(v reflect.Value, text string) {
	switch {
	case v.Type() == reflect.TypeFor[error]():
		v.Set(reflect.ValueOf(errors.New(text)))
	case v.Type() == reflect.TypeFor[time.Time](), v.Type() == reflect.TypeFor[binds.Key](), v.Type() == reflect.TypeFor[manager.Freshness]():
	case v.Kind() == reflect.String:
		v.SetString(text)
	case v.Kind() == reflect.Slice:
		v.Set(reflect.MakeSlice(v.Type(), 2, 2))
		for i := range v.Len() {
			fill(v.Index(i), text)
		}
	case v.Kind() == reflect.Struct:
		for i := range v.NumField() {
			if f := v.Type().Field(i); f.IsExported() && f.Name != "Engine" {
				fill(v.Field(i), text)
			}
		}
	}
}

// Whatever a report holds, the public one shows none of its texts.
func TestPublicReport(t *testing.T) {
	r := new(manager.Report)
	fill(reflect.ValueOf(r).Elem(), "hidden")
	for i := range r.Binds {
		r.Binds[i].Bind = "accounts"
		for j := range r.Binds[i].Missing {
			r.Binds[i].Missing[j].Model = reflect.TypeFor[user]()
		}
		for _, list := range [][]manager.SchemaError{r.Binds[i].Columns, r.Binds[i].Warnings} {
			for j := range list {
				list[j].Model = reflect.TypeFor[user]()
			}
		}
	}
	whole, err := json.Marshal(r)
	require.NoError(t, err)
	assert.Contains(t, string(whole), "hidden", "the report itself")
	public, err := json.Marshal(r.Public())
	require.NoError(t, err)
	assert.NotContains(t, string(public), "hidden")
	assert.NotContains(t, string(public), "user", "models")
	assert.Contains(t, string(public), `"missing_tables":2,"columns":2,"warnings":2,"errors":2`)

	text, err := json.Marshal(manager.Report{}.Public())
	require.NoError(t, err)
	assert.JSONEq(t, `{"at": "0001-01-01T00:00:00Z", "ok": true, "ready": true, "binds": []}`, string(text))
}

// What the public report tells is what the report's table shows.
func TestPublicReport_status(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := routertest.New(t, 2)
		m := onCluster(t, c)
		time.Sleep(time.Second)
		statuses := func() (list []manager.Status, p manager.PublicReport) {
			p = m.Check(t.Context()).Public()
			for _, e := range p.Binds[0].Engines {
				list = append(list, e.Status)
			}
			return list, p
		}
		got, p := statuses()
		assert.Equal(t, []manager.Status{manager.StatusOK, manager.StatusOK, manager.StatusOK}, got)
		assert.True(t, p.OK && p.Ready && p.Binds[0].Writes && p.Binds[0].Reads)
		assert.Nil(t, p.Binds[0].Engines[0].LagSeconds)
		require.NotNil(t, p.Binds[0].Engines[1].LagSeconds)
		assert.Less(t, *p.Binds[0].Engines[1].LagSeconds, 1.0)

		c.Replicas()[0].Down()
		time.Sleep(time.Second)
		got, p = statuses()
		assert.Equal(t, []manager.Status{manager.StatusOK, manager.StatusDown, manager.StatusOK}, got)
		assert.False(t, p.OK)
		assert.True(t, p.Ready, "the other reader serves")

		wrong := routertest.New(t, 1)
		wrong.Balance(0, wrong.Primary())
		p = onCluster(t, wrong).Check(t.Context()).Public()
		assert.Equal(t, manager.StatusWrongRole, p.Binds[0].Engines[1].Status)
		assert.False(t, p.OK)
	})
}
