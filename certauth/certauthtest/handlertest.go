package certauthtest

import (
	"errors"
	"net/http"
	"net/netip"
	"net/url"
	"strings"
	"time"
)

// HandlerTest describes for [TestHandler] how a service is configured. FrontEnd and Client are
// required.
type HandlerTest struct {
	// FrontEnd is the front end that the service is configured for. A service with
	// forwarded.AppService needs InsecureOutsideAppService, or the platform's variables in the
	// environment of the test.
	FrontEnd FrontEnd
	// Client is a certificate that must be accepted at Path. With holds the CAs whose
	// certificates the client sends along. The forged requests are derived from them.
	Client *Certificate
	With   []*CA
	// Issuer is the CA that issued Client. If it is nil, rows that need its key are skipped: an
	// expired certificate, a server certificate, a CA certificate.
	Issuer *CA
	// Other is another client of which the same is true, and whose response has another body than that to
	// Client, such as its name. The table then checks whether one is taken for the other. If it is nil,
	// these rows are skipped.
	Other *Certificate
	// Batch is for a service that answers the parts of a batch. It makes a request whose part is the given
	// text, a request of HTTP/1.1, and returns the path, content type and body of that request, whose method
	// is POST. Other must be set, and have access to it. If Batch is nil, these rows are skipped.
	Batch func(part string) (path, contentType, body string)

	// Method and Path select a request that only a client with a certificate may make. The
	// defaults are GET and "/". If a certificate is optional, use a route that requires one.
	Method, Path string
	// Exempt is a path at which GET needs no certificate, if there is one. The table then checks
	// whether related paths are exempt too, or Path in another spelling. These rows are meaningful
	// only if the handler serves protected content at paths other than Path.
	Exempt string
	// Host is the host of the requests, with a port if the service needs one. The default is
	// app.example, and with Outside the host of URL. Give the one that the service routes by.
	Host string

	// Secret holds the headers by which the service recognises the front end, with one value
	// each, such as that of forwarded.SharedSecret or X-Azure-FDID. Requests of the front end
	// carry them; those of other senders do not.
	Secret http.Header
	// FrontEndCertificate is the certificate that the front end presents to the service, for
	// forwarded.ProxyCertificate. Requests are then made over TLS.
	FrontEndCertificate *Certificate
	// UnixSocket makes the front end connect over a unix socket and other senders over TCP. It
	// requires a handler and cannot be combined with URL.
	UnixSocket bool
	// Stranger is the loopback address of senders other than the front end, whose own address is
	// 127.0.0.1. The default is 127.0.0.2. If the system does not have the address, as macOS
	// without "ifconfig lo0 alias 127.0.0.2", these rows are skipped.
	Stranger string
	// InsecureAnyPeer states that the service trusts every sender. Rows about other senders are
	// then skipped.
	InsecureAnyPeer bool

	// Chain and Fingerprint state that the service reads the header in which the front end
	// forwards the chain or the fingerprint. FrontEndVerifies states that the service treats the
	// front end's verification as an anchor.
	Chain, Fingerprint, FrontEndVerifies bool
	// KeyPinned states that the service recognises Client by its public key alone, so that a
	// certificate of another CA for the same key is rightly accepted.
	KeyPinned bool
	// Tunnels states that the front end, or a proxy between it and the service, makes a tunnel of the
	// connection after a request with an Upgrade header, whatever the service answers, as Varnish
	// does with its usual configuration for WebSocket. The service must then close the connection
	// after such a request, because what follows is what the client writes. Rows for Apache are
	// sent in any case.
	Tunnels bool

	// GotIn reports whether a response is one for accepted clients, for instance because of a
	// text that only they see. By default these are responses with status 2xx, 101, or the class
	// of the response to Client, which is 3xx if Path redirects; and, whatever the status, those
	// whose body ends with the body of the response to Client, because then the handler has run
	// after the refusal. If that body is another one each time, or is the same for everybody, only
	// GotIn can tell.
	GotIn func(response *http.Response, body []byte) bool

	// Configure prepares the server that TestHandler starts for the handler, for instance with
	// certauth's Authenticator.ConfigureServer for a handler that is not wrapped yet. By default
	// the server only stores its connections for gates such as forwarded.Peers, as
	// certauth.ConnContext does.
	Configure func(*http.Server) error
	// Outside states that URL, which must then be https, is the front end itself as clients reach
	// it. The test then covers the front end and the service, like the probes of package
	// forwarded. Client presents its certificate in the handshake. The rows are requests of a
	// client without a certificate that carry all headers that the front end would write for a
	// client; none may be accepted, not even with genuine certificates.
	Outside bool
	// URL is the base address of a service that already runs on this machine, used instead of a
	// handler: http or https, with a loopback address. Its server certificate is not checked.
	URL string
}

// TestHandler sends the table of forged requests to a whole handler, as the service installs it,
// and fails if one is accepted. If handler is nil, it sends them to the service at
// HandlerTest.URL. The table is forged.json; FORGED.md in the same folder documents its format
// and the origin of its rows, which are advisories and bugs of other libraries and front ends.
//
// A service that does not speak HTTP/1.1, such as a grpc.Server, cannot be tested. TestHandler
// sends no OPTIONS request for a path, because a service may answer CORS preflights to everybody: make
// sure that none reaches a handler that does more.
//
// The handler is served on loopback, over HTTP/1.1, where requests are written byte by byte
// because no client library would send them, and over HTTP/2 with TLS, if the service speaks it.
// Client must be accepted over each protocol before and after the table, because a handler that
// refuses every request would pass the table. Some requests are sent at the same time: with -race
// the test finds more. A response that does not arrive within 30 seconds is a failure. An error
// page counts as a refusal.
//
// TestHandler reports all failures at once, with an explanation for each row. If tb has a method
// Logf, it receives a summary, including the rows that were skipped and why. The table cannot
// show whether the front end itself overwrites the headers that it should, for which package
// forwarded documents probes.
func TestHandler(tb TB, handler http.Handler, test HandlerTest) {
	tb.Helper()
	run, err := newTableRun(tb, handler, test)
	if err != nil {
		tb.Fatalf("certauthtest: TestHandler: %v", err)
		return
	}
	report := run.all()
	if logger, ok := tb.(interface {
		Logf(format string, args ...any)
	}); ok {
		logger.Logf("certauthtest: %s", report.summary())
	}
	if len(report.wrong) > 0 {
		tb.Fatalf("certauthtest: %s\n%s%s", report.summary(), strings.Join(report.wrong, "\n"), report.advice)
	}
}

// rowLimit bounds the time for a row with all its requests.
const rowLimit = 30 * time.Second

// newTableRun checks the test and starts the servers.
func newTableRun(tb TB, handler http.Handler, test HandlerTest) (*tableRun, error) {
	tb.Helper()
	layout, err := test.FrontEnd.layout()
	if err == nil {
		err = test.check(handler)
	}
	if err != nil {
		return nil, err
	}
	test.Method = otherwise(test.Method, http.MethodGet)
	test.Path = otherwise(test.Path, "/")
	test.Stranger = otherwise(test.Stranger, "127.0.0.2")
	if url, err := url.Parse(test.URL); err == nil && test.Outside {
		test.Host = otherwise(test.Host, url.Hostname()) // front ends compare it with the server name of the handshake
	}
	run := &tableRun{rendering: newRenderingOf(tb, layout, &test), limit: rowLimit}
	if handler != nil {
		err = run.serve(handler)
	} else {
		err = run.connectTo(test.URL)
	}
	return run, err
}

func (test *HandlerTest) check(handler http.Handler) error {
	var found []error
	mistake := func(wrong bool, text string) {
		if wrong {
			found = append(found, errors.New(text))
		}
	}
	mistake((handler == nil) == (test.URL == ""), "give either a handler or HandlerTest.URL")
	mistake(test.Client == nil || test.Client.Certificate == nil, "HandlerTest.Client is nil: without a client that is accepted the table proves nothing")
	mistake(test.Client != nil && test.Client.Certificate != nil && test.Issuer != nil && test.Client.CheckSignatureFrom(test.Issuer.Certificate) != nil, "HandlerTest.Issuer has not issued Client, so that the forged certificates would be refused because of their CA")
	mistake(test.Path != "" && !strings.HasPrefix(test.Path, "/"), "HandlerTest.Path does not start with a slash")
	mistake(test.Exempt != "" && (!strings.HasPrefix(test.Exempt, "/") || test.Exempt == otherwise(test.Path, "/")), "HandlerTest.Exempt is not a path different from Path")
	mistake(test.Other != nil && test.Other.Certificate == nil, "HandlerTest.Other is not a certificate")
	mistake(test.Batch != nil && test.Other == nil, "HandlerTest.Batch needs Other, to see whether one client can be another")
	mistake(strings.ContainsAny(test.Host, "/@?# \t\r\n"), "HandlerTest.Host is not a host, such as app.example or app.example:8443")
	mistake(handler == nil && (test.UnixSocket || test.Configure != nil), "HandlerTest.UnixSocket and Configure need a handler, not URL")
	mistake(test.UnixSocket && test.FrontEndCertificate != nil, "HandlerTest.UnixSocket and FrontEndCertificate contradict each other")
	mistake(test.Outside && !strings.HasPrefix(test.URL, "https://"), "HandlerTest.Outside is for the https URL of a front end")
	mistake(test.Outside && (len(test.Secret) > 0 || test.FrontEndCertificate != nil), "HandlerTest.Outside: a client knows neither Secret nor FrontEndCertificate")
	for _, values := range test.Secret {
		mistake(len(values) != 1 || values[0] == "", "HandlerTest.Secret: one value for each header")
	}
	if test.Stranger != "" {
		address, err := netip.ParseAddr(test.Stranger)
		mistake(err != nil || !address.IsLoopback(), "HandlerTest.Stranger is not a loopback address")
	}
	return errors.Join(found...)
}
