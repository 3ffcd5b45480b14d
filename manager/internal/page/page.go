// Package page is the status page of a manager: files for a browser, which shows what the manager's status.json says. It takes nothing from elsewhere.
package page

import (
	"embed"
	"net/http"
)

//go:embed index.html page.css page.js
var files embed.FS

// policy lets the page run and load its own files, and nothing else; no other page may frame it.
const policy = "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self'; " +
	"base-uri 'none'; form-action 'none'; frame-ancestors 'none'"

// Register has mux serve the page at / and its files beside it.
func Register(mux *http.ServeMux) {
	for path, file := range map[string]string{"/{$}": "index.html", "/page.css": "page.css", "/page.js": "page.js"} {
		mux.HandleFunc("GET "+path, func(w http.ResponseWriter, req *http.Request) {
			w.Header().Set("Content-Security-Policy", policy)
			http.ServeFileFS(w, req, files, file)
		})
	}
}
