package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// TestScrape sends two requests, scrapes the metrics and reads the traces.
func TestScrape(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	ctx, cancel := context.WithCancel(t.Context())
	var traces bytes.Buffer // read when run has returned
	ended := make(chan error, 1)
	go func() { ended <- run(ctx, listener, &traces) }()

	at := "http://" + listener.Addr().String()
	answer, err := http.PostForm(at+"/users", url.Values{"name": {"c4n4ry"}})
	require.NoError(t, err)
	assert.Contains(t, body(t, answer), "c4n4ry")
	answer, err = http.Get(at + "/users")
	require.NoError(t, err)
	assert.Contains(t, body(t, answer), "c4n4ry")

	answer, err = http.Get(at + "/metrics")
	require.NoError(t, err)
	metrics := body(t, answer)
	assert.NotContains(t, metrics, "c4n4ry")
	for series, value := range map[string]string{
		`db_client_operation_duration_seconds_count{bindery_bind="accounts",bindery_engine="accounts/writer",db_operation_name="INSERT",db_system_name="sqlite",`:      "1",
		`db_client_operation_duration_seconds_count{bindery_bind="accounts",bindery_engine="accounts/reader-1",db_operation_name="SELECT",db_system_name="sqlite",`:    "1",
		`db_client_operation_duration_seconds_bucket{bindery_bind="accounts",bindery_engine="accounts/writer",db_operation_name="INSERT",db_system_name="sqlite",`:     "",
		`bindery_routing_decisions_total{bindery_bind="accounts",bindery_engine="accounts/reader-1",bindery_reason="plain_read",`:                                      "1",
		`bindery_transaction_duration_seconds_count{bindery_bind="accounts",bindery_engine="accounts/writer",bindery_transaction_outcome="committed",`:                 "1",
		`db_client_connection_max{bindery_bind="accounts",bindery_role="writer",db_client_connection_pool_name="accounts/writer",`:                                     "1",
		`db_client_connection_count{bindery_bind="accounts",bindery_role="writer",db_client_connection_pool_name="accounts/writer",db_client_connection_state="used",`: "0",
		`bindery_outcomes_unknown_total{bindery_bind="accounts",`: "0",
	} {
		found := ""
		for line := range strings.Lines(metrics) {
			if strings.HasPrefix(line, series) {
				found = strings.TrimSpace(line)
			}
		}
		if assert.NotEmpty(t, found, "%s in\n%s", series, metrics) && value != "" {
			assert.True(t, strings.HasSuffix(found, " "+value), found)
		}
	}

	cancel()
	require.NoError(t, <-ended)
	assert.NotContains(t, traces.String(), "c4n4ry")
	assert.Equal(t, []string{"BEGIN", "INSERT users", "COMMIT", "transaction", "POST /users", "SELECT users", "GET /users"}, names(t, &traces))
}

func body(t *testing.T, answer *http.Response) string {
	t.Helper()
	text, err := io.ReadAll(answer.Body)
	require.NoError(t, err)
	require.NoError(t, answer.Body.Close())
	require.Equal(t, http.StatusOK, answer.StatusCode, "%s", text)
	return string(text)
}

// names returns the names of the spans that were printed, in the order in which they ended.
func names(t *testing.T, printed io.Reader) (list []string) {
	t.Helper()
	for spans := json.NewDecoder(printed); ; {
		var span struct{ Name string }
		err := spans.Decode(&span)
		if errors.Is(err, io.EOF) {
			return list
		}
		require.NoError(t, err)
		list = append(list, span.Name)
	}
}
