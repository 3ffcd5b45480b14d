package pgbind

import (
	"strconv"
	"time"

	"github.com/bindery-go/bindery/binds/internal/dburi"
)

// readStartup reads what the server is told at log-in.
func (s *settings) readStartup(p *dburi.Params) {
	s.startup = append(s.startup, always...)
	if v := p.String("client_encoding", "UTF8"); v != "UTF8" && v != "utf8" && v != "UTF-8" && v != "auto" {
		p.Fail("parameter %q must be UTF8: Go's text is", "client_encoding")
	}
	fallback := p.String("fallback_application_name", "")
	s.tell("application_name", orElse(p.String("application_name", ""), fallback))
	s.tell("options", p.String("options", ""))
	for _, name := range []string{
		"search_path", "timezone", "default_transaction_isolation", "synchronous_commit", "role",
	} {
		s.tell(name, p.String(name, ""))
	}
	for _, name := range []string{
		"statement_timeout", "lock_timeout", "idle_in_transaction_session_timeout",
		"idle_session_timeout", "transaction_timeout",
	} {
		if p.Has(name) {
			s.tell(name, strconv.FormatInt(p.Duration(name, 0, time.Millisecond).Milliseconds(), 10))
		}
	}
}

func (s *settings) tell(name, value string) {
	if value != "" {
		s.startup = append(s.startup, parameter{name, value})
	}
}

// refused are parameters of libpq, or of other drivers, that cannot be honoured here. Each says why,
// and what to do.
var refused = []parameter{
	{"allow_cleartext_passwords", "use sslmode=verify-full"},
	{"channel_binding", "use sslmode=verify-full, which proves the server's name"},
	{"default_transaction_read_only", "a reader is read-only without it; for a writer say options=-c%20default_transaction_read_only=on"},
	{"gssdelegation", "Kerberos logins are not"},
	{"gssencmode", "Kerberos logins are not"},
	{"gsslib", "Kerberos logins are not"},
	{"krbsrvname", "Kerberos logins are not"},
	{"load_balance_hosts", "a URI names one server: give the others as readers"},
	{"passfile", "set the password in the configuration, by ${VARIABLE} or password_file"},
	{"replication", "this is no replication client"},
	{"requirepeer", "protect the socket's directory instead"},
	{"requiressl", "use sslmode"},
	{"scram_client_key", "give the password"},
	{"scram_server_key", "give the password"},
	{"service", "name the server in the URI"},
	{"servicefile", "name the server in the URI"},
	{"sslcertmode", "the client certificate is sent if sslcert is set"},
	{"sslcompression", "TLS compression is not safe"},
	{"sslcrl", "revocation lists are not read"},
	{"sslcrldir", "revocation lists are not read"},
	{"sslnegotiation", "TLS is negotiated by the server's reply, as before PostgreSQL 17"},
	{"sslpassword", "give sslkey a file without a passphrase that only this user may read"},
	{"sslsni", "the server's name is always sent"},
	{"target_session_attrs", "which server is writer and which are readers is the bind's to say"},
	{"timeout", "say connect_timeout, read_timeout or write_timeout"},
}

func refuse(p *dburi.Params) {
	for _, r := range refused {
		p.Refuse(r.name, r.value)
	}
}
