package integration_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/cookiejar"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/bindery-go/bindery/internal/teston"
	"github.com/bindery-go/bindery/manager"
	"github.com/bindery-go/bindery/router"
)

// siteHelper makes the test program a process that serves the items of a shop over HTTP, configured by
// the file that siteConfig names: POST /name adds an item, GET /name says how many have the name, and
// in its header which engine answered. It ends with its standard input.
const (
	siteHelper = "site"
	siteConfig = "BINDERY_TEST_CONFIG"
)

func serveSite() int {
	if err := runSite(context.Background(), os.Getenv(siteConfig)); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return 0
}

func runSite(ctx context.Context, config string) error {
	m, err := manager.Open(ctx, config)
	if err != nil {
		return err
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return errors.Join(err, m.Close())
	}
	mux := http.NewServeMux()
	mux.HandleFunc("POST /{name}", func(w http.ResponseWriter, req *http.Request) {
		if _, err := m.NewInsert(&item{Name: req.PathValue("name")}).Exec(req.Context()); err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
		}
	})
	mux.HandleFunc("GET /{name}", func(w http.ResponseWriter, req *http.Request) {
		ctx, route := router.Explain(req.Context())
		n, err := m.NewSelect((*item)(nil)).Where("name = ?", req.PathValue("name")).Count(ctx)
		if err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
			return
		}
		w.Header().Set("Engine", route.Engine())
		_, _ = fmt.Fprint(w, n)
	})
	server := &http.Server{Handler: router.Middleware(mux), ReadHeaderTimeout: time.Minute}
	served := make(chan error, 1)
	go func() { served <- server.Serve(listener) }()
	fmt.Println("http://" + listener.Addr().String())
	_, _ = io.Copy(io.Discard, os.Stdin)
	err = server.Close()
	if closed := <-served; !errors.Is(closed, http.ErrServerClosed) {
		err = errors.Join(err, closed)
	}
	return errors.Join(err, m.Close())
}

// startSite starts a process of its own and returns its address.
func startSite(t *testing.T, config string) string {
	t.Helper()
	site := exec.Command(os.Args[0])
	site.Env = append(os.Environ(), helperVariable+"="+siteHelper, siteConfig+"="+config)
	site.Stderr = os.Stderr
	stdin, err := site.StdinPipe()
	require.NoError(t, err)
	stdout, err := site.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, site.Start())
	t.Cleanup(func() { assert.NoError(t, errors.Join(stdin.Close(), site.Wait())) })
	address, err := bufio.NewReader(stdout).ReadString('\n')
	require.NoError(t, err)
	return strings.TrimSpace(address)
}

// TestTwoProcesses has a client write through one process and read through another: its cookie makes
// the read show the write though the replica stands still.
func TestTwoProcesses(t *testing.T) {
	for _, k := range kinds() {
		if k.name == "sqlite" {
			continue // one file: nothing can be stale
		}
		t.Run(k.name, func(t *testing.T) {
			b := newBench(t, k)
			writer, reader := b.cluster.Primary.URI(), b.cluster.Replicas[0]
			file := filepath.Join(t.TempDir(), "config.toml")
			require.NoError(t, os.WriteFile(file, []byte(config(map[string]string{"shop": writer}, []string{reader.URI()}, `max_lag = "1h"`)), 0o600))
			first, second := startSite(t, file), startSite(t, file)
			jar, err := cookiejar.New(nil)
			require.NoError(t, err)
			client := &http.Client{Jar: jar, Transport: new(http.Transport), Timeout: waitFor}
			t.Cleanup(client.CloseIdleConnections)
			stranger := &http.Client{Transport: client.Transport, Timeout: waitFor}

			for _, site := range []string{first, second} {
				require.Eventually(t, func() bool {
					_, engine := visit(t, stranger, http.MethodGet, site+"/before")
					return engine == "shop/reader-1"
				}, waitFor, 10*time.Millisecond, "readers serve who has written nothing")
			}
			require.NoError(t, reader.PauseReplay(t.Context()))
			t.Cleanup(func() { assert.NoError(t, reader.ResumeReplay(context.Background())) })

			const rounds = 20
			for i := range rounds {
				name := fmt.Sprintf("/lamp%d", i)
				visit(t, client, http.MethodPost, first+name)
				count, engine := visit(t, client, http.MethodGet, second+name)
				require.Equal(t, "1", count, "by %s", engine)
				assert.Equal(t, "shop/writer", engine)
				count, engine = visit(t, stranger, http.MethodGet, second+name)
				assert.Equal(t, "0", count, "without the cookie, by %s", engine)
				first, second = second, first
			}

			require.NoError(t, reader.ResumeReplay(t.Context()))
			if k.name == teston.Galera {
				return // its tokens do not say how far: each request asks for the present, which the writer has
			}
			require.Eventually(t, func() bool {
				count, engine := visit(t, client, http.MethodGet, second+"/lamp0")
				require.Equal(t, "1", count)
				return engine == "shop/reader-1"
			}, waitFor, 10*time.Millisecond, "the reader serves the client again")
		})
	}
}

// visit returns the body of a page and the engine that served it.
func visit(t *testing.T, client *http.Client, method, url string) (body, engine string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, url, nil)
	require.NoError(t, err)
	resp, err := client.Do(req)
	require.NoError(t, err)
	content, err := io.ReadAll(resp.Body)
	require.NoError(t, errors.Join(err, resp.Body.Close()))
	require.Equal(t, http.StatusOK, resp.StatusCode, string(content))
	return string(content), resp.Header.Get("Engine")
}
