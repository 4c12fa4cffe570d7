package policyfile_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed2886b8ae/go-certauth/certauth"
	"github.com/seed2886b8ae/go-certauth/certauth/certauthtest"
	"github.com/seed2886b8ae/go-certauth/certauth/policyfile"
)

// events records the reports about documents to Observe.
type events struct {
	mutex sync.Mutex
	list  []certauth.Event
}

func (e *events) observe(_ context.Context, event certauth.Event) {
	if event.Outcome != certauth.Outcome("kept") && event.Outcome != certauth.Outcome("reloaded") || !strings.HasSuffix(event.Rule, ".json") {
		return
	}
	e.mutex.Lock()
	defer e.mutex.Unlock()
	e.list = append(e.list, event)
}

func (e *events) take() []certauth.Event {
	e.mutex.Lock()
	defer e.mutex.Unlock()
	list := e.list
	e.list = nil
	return list
}

func open(t *testing.T, path string, code certauth.Config) *policyfile.Authenticator {
	t.Helper()
	auth, err := policyfile.Open(path, code)
	require.NoError(t, err)
	t.Cleanup(func() { assert.NoError(t, auth.Close()) })
	return auth
}

// call sends one request through the handler and returns status and body.
func call(auth *policyfile.Authenticator, next http.Handler, headers ...string) (int, string) {
	r := httptest.NewRequest(http.MethodGet, "/", http.NoBody)
	for i := 0; i < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	w := httptest.NewRecorder()
	auth.Handler(next).ServeHTTP(w, r)
	return w.Code, w.Body.String()
}

var roles = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
	id, _ := certauth.FromContext(r.Context())
	_, _ = fmt.Fprint(w, strings.Join(id.Matched, " "))
})

// numbered returns a document in which everything has the same number: the header that the source
// reads, two roles, and one exclusion.
func numbered(i int) string {
	return fmt.Sprintf(`{
  "source": {"header": {"from": {"insecureAnyPeer": {}}, "name": "X-Cert-%[2]d", "format": "base64DER"}},
  "policy": {"named": {"name": "first-%[1]d", "policy": {"named": {"name": "second-%[1]d", "policy": {"chain": {"roots": {"pemFile": "%[3]s.pem"}}}}}}},
  "exclusions": [{"path": "/%[2]d", "reason": "r", "control": "c"}],
  "cases": [{"name": "the right one", "certificate": {"pemFile": "client-%[3]s.pem"}, "at": "now", "expect": "accepted", "roles": ["first-%[1]d", "second-%[1]d"]}]
}`, i, i%2, []string{"a", "b"}[i%2])
}

// 100 000 requests during 100 replacements: for each of them, source, policy, roles, and the policy
// of Require are those of one document.
func TestReload_EachRequestIsAnsweredByOneDocument(t *testing.T) {
	f := newFolder(t)
	path := f.write("policy.json", numbered(0))
	var reported events
	var mixed atomic.Int64
	auth := open(t, path, certauth.Config{Observe: reported.observe})
	right := auth.Require(certauth.Chain{Roots: certauth.PEMFile(filepath.Join(f.dir, "a.pem")), Intermediates: certauth.PEMFile(filepath.Join(f.dir, "b.pem"))})
	handler := auth.Handler(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		id, ok := certauth.FromContext(r.Context())
		if !ok || len(id.Matched) != 2 || strings.TrimPrefix(id.Matched[0], "second-") != strings.TrimPrefix(id.Matched[1], "first-") {
			mixed.Add(1)
			return
		}
		// The certificate is of the CA that the document with these roles trusts, and comes from
		// that document's header. This header is removed, and the other one is still present.
		number := strings.TrimPrefix(id.Matched[1], "first-")
		even := (number[len(number)-1]-'0')%2 == 0
		issuer, gone, there := "CA of B", "X-Cert-1", "X-Cert-0"
		if even {
			issuer, gone, there = "CA of A", "X-Cert-0", "X-Cert-1"
		}
		if id.Leaf.Issuer.CommonName != issuer || r.Header.Get(gone) != "" || r.Header.Get(there) == "" {
			mixed.Add(1)
		}
		// The route's policy accepts only A, whichever document is active by now.
		w2 := httptest.NewRecorder()
		right(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {})).ServeHTTP(w2, r)
		if (w2.Code == http.StatusOK) != even || !even && w2.Code != http.StatusForbidden {
			mixed.Add(1)
		}
	}))
	const swaps, requests, workers = 100, 100_000, 4
	var served atomic.Int64
	var wait sync.WaitGroup
	for range workers {
		wait.Go(func() {
			for served.Add(1) <= requests {
				r := httptest.NewRequest(http.MethodGet, "/", http.NoBody)
				r.Header.Set("X-Cert-0", f.clientA.Base64())
				r.Header.Set("X-Cert-1", f.clientB.Base64())
				w := httptest.NewRecorder()
				handler.ServeHTTP(w, r)
				if w.Code != http.StatusOK {
					mixed.Add(1)
				}
			}
		})
	}
	swapped := 0
	for i := 1; i <= swaps; i++ {
		f.write("policy.json", numbered(i))
		require.NoError(t, auth.Reload(t.Context()))
		swapped++
		for target := int64(i) * requests / swaps; served.Load() < target; {
			time.Sleep(50 * time.Microsecond) //nolint:forbidigo // distributes the replacements over the requests
		}
	}
	wait.Wait()
	assert.Zero(t, mixed.Load())
	assert.GreaterOrEqual(t, served.Load(), int64(requests))
	taken := reported.take()
	assert.Len(t, taken, swaps)
	for _, event := range taken {
		assert.Equal(t, certauth.Outcome("reloaded"), event.Outcome)
		assert.Equal(t, path, event.Rule)
	}
}

// None of these mistakes changes which callers are accepted, and each is reported.
func TestReload_AMistakeNeverChangesADecision(t *testing.T) {
	f := newFolder(t)
	f.write("empty.pem", "")
	f.write("leaf-as-root.pem", string(f.clientA.PEM()))
	path := f.write("policy.json", scoped)
	var reported events
	auth := open(t, path, certauth.Config{Observe: reported.observe})
	auth.Require(certauth.Matched{"a"})
	stranger := certauthtest.NewCA(t, "CA of B").Issue(t, "x", certauthtest.DNS("orders.b.example"))
	decisions := func() (list []string) {
		for _, client := range []*certauthtest.Certificate{f.clientA, f.clientB, stranger, nil} {
			header := []string{}
			if client != nil {
				header = []string{"X-Client-Cert", client.Base64()}
			}
			status, body := call(auth, roles, header...)
			list = append(list, fmt.Sprintf("%d %t %s", status, status == http.StatusOK, strings.TrimSpace(body)))
		}
		return list
	}
	before := decisions()
	require.Equal(t, []int{200, 401, 401, 401}, statuses(before), "B has no responder")

	change := func(from, to string) func() {
		return func() {
			changed := strings.Replace(scoped, from, to, 1)
			require.NotEqual(t, scoped, changed, "%s", from)
			f.write("policy.json", changed)
		}
	}
	for _, tc := range []struct {
		name  string
		plant func()
		want  string
	}{
		{"a typo in a kind", change(`"dnsNames"`, `"dnsNmes"`), "did you mean"},
		{"a typo in a member", change(`"roots"`, `"rootz"`), "did you mean"},
		{"another letter case", change(`"roots"`, `"Roots"`), "did you mean"},
		{"a member twice", change(`"description"`, `"source": {"tls": {}}, "description"`), "stands here twice"},
		{"an unquoted name", change(`"orders.a.example"`, `orders.a.example`), "not JSON"},
		{"text after the end", func() { f.write("policy.json", scoped+"}") }, "not JSON"},
		{"half a file", func() { f.write("policy.json", scoped[:len(scoped)/2]) }, "too early"},
		{"an empty file", func() { f.write("policy.json", "") }, "too early"},
		{"no file", func() { require.NoError(t, os.Remove(path)) }, "no such file"},
		{"a directory in its place", func() {
			require.NoError(t, os.Remove(path))
			require.NoError(t, os.Mkdir(path, 0o700))
		}, "not a regular file"},
		{"no names", change(`["orders.a.example"]`, `[]`), "an empty list"},
		{"empty pins", change(`{"dnsNames": ["orders.a.example"]}`, `{"thumbprints": []}`), "an empty list"},
		{"no roots", change(`{"pemFile": "a.pem"}`, `{"pemFile": "empty.pem"}`), "empty"},
		{"a missing file", change(`{"pemFile": "a.pem"}`, `{"pemFile": "gone.pem"}`), "no such file"},
		{"a leaf as the root", change(`{"pemFile": "a.pem"}`, `{"pemFile": "leaf-as-root.pem"}`), "not a CA"},
		{"a path without an anchor", change(`{"chain": {"roots": {"pemFile": "a.pem"}}}, `, ``), "anchor"},
		{"the wrong preset", change(`{"header": {"from": {"insecureAnyPeer": {}}, "name": "X-Client-Cert", "format": "base64DER"}}`, `{"nginx": {"from": {"insecureAnyPeer": {}}}}`), "case"},
		{"no gate", change(`"from": {"insecureAnyPeer": {}}, `, ``), `"from" is missing`},
		{"the wrong gate", change(`{"insecureAnyPeer": {}}`, `{"peers": ["0.0.0.0/0"]}`), "peers"},
		{"a check that is not there", change(`"checker": "strict"`, `"checker": "strikt"`), "no revocation check"},
		{"a check that contradicts itself", change(`{"strict": {}}`, `{"strict": {"sources": "crlOnly", "certIDHash": "sha256"}}`), "revocation.strict"},
		{"names exchanged, which a case notices", change(`["orders.a.example"]`, `["orders.b.example"]`), "expected accepted, got name_not_allowed"},
		{"a role renamed, which a case notices", change(`"name": "a", "policy"`, `"name": "A", "policy"`), "expected the roles"},
		{"a role that a route of the program asks for is gone", func() {
			f.write("policy.json", strings.NewReplacer(`"name": "a", "policy"`, `"name": "partner-a", "policy"`, `"roles": ["a"]`, `"roles": ["partner-a"]`).Replace(scoped))
		}, "no Named before it has the name"},
		{"a fixture of a case that is gone", func() {
			f.write("policy.json", scoped+" ")
			require.NoError(t, os.Rename(filepath.Join(f.dir, "client-a.pem"), filepath.Join(f.dir, "hidden.pem")))
		}, "client-a.pem"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			tc.plant()
			err := auth.Reload(t.Context())
			require.ErrorContains(t, err, tc.want)
			assert.Equal(t, before, decisions())
			taken := reported.take()
			require.NotEmpty(t, taken)
			for _, event := range taken {
				assert.Equal(t, certauth.Outcome("kept"), event.Outcome)
				assert.Equal(t, certauth.ReasonNotConfigured, event.Reason())
			}
			// After the mistake is corrected, everything is as before, and nothing is left over.
			_ = os.Remove(path)
			_ = os.Rename(filepath.Join(f.dir, "hidden.pem"), filepath.Join(f.dir, "client-a.pem"))
			f.write("policy.json", scoped)
			require.NoError(t, auth.Reload(t.Context()))
			assert.Equal(t, before, decisions())
			reported.take()
		})
	}
}

func statuses(decisions []string) (list []int) {
	for _, d := range decisions {
		var status int
		_, _ = fmt.Sscan(d, &status)
		list = append(list, status)
	}
	return list
}

// Requests alone trigger the check: at most once per interval, and after a pause the first request
// waits for the result.
func TestAuthenticator_FollowsTheFileWhileRequestsArrive(t *testing.T) {
	f := newFolder(t)
	var now atomic.Int64
	now.Store(time.Now().UnixNano())
	clock := func() time.Time { return time.Unix(0, now.Load()) }
	var reported events
	auth := open(t, f.write("policy.json", numbered(0)), certauth.Config{Now: clock, Observe: reported.observe})
	ask := func() string {
		_, body := call(auth, roles, "X-Cert-0", f.clientA.Base64(), "X-Cert-1", f.clientB.Base64())
		return body
	}
	assert.Equal(t, "second-0 first-0", ask())
	f.write("policy.json", numbered(1))
	assert.Equal(t, "second-0 first-0", ask(), "no check is due yet")
	now.Add(int64(30*time.Second) * 2)
	assert.Equal(t, "second-1 first-1", ask(), "the first request after a pause")
	require.Len(t, reported.take(), 1)

	f.write("policy.json", "{")
	for range 3 {
		now.Add(int64(30*time.Second) * 2)
		assert.Equal(t, "second-1 first-1", ask())
	}
	taken := reported.take()
	require.Len(t, taken, 1, "a persistent mistake is reported once")
	assert.Equal(t, certauth.Outcome("kept"), taken[0].Outcome)

	// finding P25: after that it was never reported again, so that a service could go on with an old document for
	// months, with one record of it.
	for _, after := range []time.Duration{57 * time.Minute, time.Minute, 59 * time.Minute, time.Minute} {
		now.Add(int64(after))
		assert.Equal(t, "second-1 first-1", ask())
		taken = append(taken, reported.take()...)
	}
	require.Len(t, taken, 3, "it is reported again after an hour, and after another one")
	for _, event := range taken {
		assert.Equal(t, certauth.Outcome("kept"), event.Outcome)
		assert.ErrorContains(t, event.Err, "the document ends too early")
	}

	f.write("policy.json", numbered(2))
	now.Add(-int64(time.Hour)) // the clock goes back
	for range 1000 {
		if ask(); auth.String() != "" && strings.Contains(auth.String(), "first-2") {
			break
		}
		time.Sleep(time.Millisecond) //nolint:forbidigo // in parallel with the requests
	}
	assert.Equal(t, "second-2 first-2", ask())
}

// finding R38: the failure of a case at "now" contains the time, so that it counted as another failure at each check, and a
// record each half minute said so.
func TestAuthenticator_AFailureThatContainsTheTimePersists(t *testing.T) {
	f := newFolder(t)
	now := time.Now()
	var reported events
	auth := open(t, f.write("policy.json", numbered(0)), certauth.Config{Now: func() time.Time { return now }, Observe: reported.observe})
	failing := func(days int) string {
		return fmt.Sprintf(`{"source": {"tls": {}}, "policy": {"all": [{"certificates": {"pemFile": "client-a.pem"}}, {"validity": {"minRemaining": "%dd"}}]},
			"cases": [{"name": "client a", "certificate": {"pemFile": "client-a.pem"}, "at": "now", "expect": "accepted"}]}`, days)
	}
	check := func() (outcomes []certauth.Outcome) {
		now = now.Add(time.Minute + time.Second)
		call(auth, roles)
		for _, event := range reported.take() {
			if event.Method == "" {
				outcomes = append(outcomes, event.Outcome)
			}
		}
		return outcomes
	}
	for _, days := range []int{90000, 80000} {
		f.write("policy.json", failing(days))
		assert.Equal(t, []certauth.Outcome{"kept"}, check())
		assert.Empty(t, check())
		assert.Empty(t, check())
	}
}

// A certificate or a secret that a document contains by reference changes with its file.
func TestAuthenticator_FollowsWhatTheDocumentNames(t *testing.T) {
	f := newFolder(t)
	f.write("secret", "0123456789abcdef\n")
	path := f.write("policy.json", `{
  "source": {"header": {"from": {"sharedSecret": {"header": "X-Secret", "values": [{"file": "secret"}]}}, "name": "X-Client-Cert", "format": "base64DER"}},
  "policy": {"certificates": {"pemFile": "client-a.pem"}}
}`)
	auth := open(t, path, certauth.Config{})
	ask := func(client *certauthtest.Certificate, secret string) int {
		status, _ := call(auth, roles, "X-Client-Cert", client.Base64(), "X-Secret", secret)
		return status
	}
	assert.Equal(t, 200, ask(f.clientA, "0123456789abcdef"))
	assert.Equal(t, 401, ask(f.clientB, "0123456789abcdef"))
	f.write("client-a.pem", string(f.clientB.PEM()))
	require.NoError(t, auth.Reload(t.Context()))
	assert.Equal(t, 401, ask(f.clientA, "0123456789abcdef"))
	assert.Equal(t, 200, ask(f.clientB, "0123456789abcdef"))
	f.write("secret", "fedcba9876543210")
	require.NoError(t, auth.Reload(t.Context()))
	assert.Equal(t, 401, ask(f.clientB, "0123456789abcdef"))
	assert.Equal(t, 200, ask(f.clientB, "fedcba9876543210"))
	f.write("secret", "short")
	require.Error(t, auth.Reload(t.Context()))
	assert.Equal(t, 200, ask(f.clientB, "fedcba9876543210"))
}

// finding S55: it panicked, unlike that of certauth.
func TestAuthenticator_AdmitWithoutARequest(t *testing.T) {
	f := newFolder(t)
	auth := open(t, f.write("policy.json", numbered(0)), certauth.Config{})
	_, err := auth.Admit(nil)
	assert.ErrorIs(t, err, certauth.ReasonInternalError)
}

func TestAuthenticator_ClosedRefusesEverybody(t *testing.T) {
	f := newFolder(t)
	auth, err := policyfile.Open(f.write("policy.json", numbered(0)), certauth.Config{})
	require.NoError(t, err)
	route := auth.Require(certauth.Matched{"first-0"})(roles)
	require.NoError(t, auth.Close())
	status, _ := call(auth, roles, "X-Cert-0", f.clientA.Base64())
	assert.Equal(t, 401, status)
	w := httptest.NewRecorder()
	route.ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/", http.NoBody))
	assert.Equal(t, 401, w.Code)
	_, err = auth.Check(httptest.NewRequest(http.MethodGet, "/", http.NoBody))
	assert.ErrorIs(t, err, certauth.ReasonNotConfigured)
	_, err = auth.Admit(httptest.NewRequest(http.MethodGet, "/", http.NoBody))
	assert.ErrorIs(t, err, certauth.ReasonNotConfigured)
	assert.Error(t, auth.Reload(t.Context()))
	assert.NoError(t, auth.Close())
}

// A check keeps what it remembers if its settings did not change.
func TestReload_KeepsARevocationCheckThatDidNotChange(t *testing.T) {
	f := newFolder(t)
	path := f.write("policy.json", scoped)
	first, err := policyfile.Load(path, certauth.Config{})
	require.NoError(t, err)
	require.NoError(t, first.Close())
	checkers := map[string]bool{}
	auth := open(t, path, certauth.Config{})
	note := func() {
		checkers[fmt.Sprintf("%p", policyfile.Active(auth).Checkers["strict"])] = true
	}
	note()
	f.write("policy.json", strings.Replace(scoped, `"reason": "probe"`, `"reason": "another"`, 1))
	require.NoError(t, auth.Reload(t.Context()))
	note()
	assert.Len(t, checkers, 1)
	assert.Contains(t, auth.String(), "another")
	f.write("policy.json", strings.Replace(scoped, `"strict": {}`, `"strict": {"mode": "softFail"}`, 1))
	require.NoError(t, auth.Reload(t.Context()))
	note()
	assert.Len(t, checkers, 2)
}

// finding P45: no record said which version of a document a service runs.
func TestAuthenticator_RecordsSayWhichDocumentIsInUse(t *testing.T) {
	f := newFolder(t)
	path := f.write("policy.json", numbered(0))
	var log bytes.Buffer
	auth := open(t, path, certauth.Config{Logger: slog.New(slog.NewTextHandler(&log, nil))})
	inUse := func(message, text string) string {
		return fmt.Sprintf("msg=\"certauth: policy document %s\" rule=%s in_use=%x", message, path, sha256.Sum256([]byte(text)))
	}
	assert.Contains(t, log.String(), inUse("in use", numbered(0)), "at start")
	f.write("policy.json", numbered(1))
	require.NoError(t, auth.Reload(t.Context()))
	assert.Contains(t, log.String(), inUse("in use", numbered(1)), "after a change")
	f.write("policy.json", "{")
	require.Error(t, auth.Reload(t.Context()))
	assert.Contains(t, log.String(), inUse("kept", numbered(1)), "after one that is not used")
	// finding N115: the record did not say that the service ends with the next restart.
	assert.Contains(t, log.String(), `hint="repair the document; until then the last good one stays in use, but a restart fails"`)
	_, err := policyfile.Open(path, certauth.Config{})
	require.Error(t, err)
	// finding N172: of a document that was rolled back to the one in use nothing said so.
	log.Reset()
	f.write("policy.json", numbered(1))
	require.NoError(t, auth.Reload(t.Context()))
	assert.Equal(t, 1, strings.Count(log.String(), inUse("in use", numbered(1))), "after a rollback")
	require.NoError(t, auth.Reload(t.Context()))
	assert.Equal(t, 1, strings.Count(log.String(), "in use"), "only once")
}

// finding P46: a service with a document could neither wait for its lists, nor ask the responders at once.
func TestAuthenticator_GivesTheRevocationChecksOfTheDocumentInUse(t *testing.T) {
	f := newFolder(t)
	path := f.write("policy.json", strings.Replace(scoped, `"strict": {}`, `"strict": {"lists": [{"file": "none.crl"}], "issuers": {"pemFile": "a.pem"}}`, 1))
	auth, err := policyfile.Open(path, certauth.Config{})
	require.NoError(t, err)
	assert.ErrorContains(t, auth.Checkers()["strict"].Ready(), "none.crl")
	f.write("policy.json", scoped)
	require.NoError(t, auth.Reload(t.Context()))
	require.Len(t, auth.Checkers(), 1)
	assert.NoError(t, auth.Checkers()["strict"].Ready())
	assert.NoError(t, auth.Checkers()["strict"].Refresh(t.Context()))
	require.NoError(t, auth.Close())
	assert.Nil(t, auth.Checkers())
}

// finding P48: a check whose settings change remembers nothing, so that every caller waited for its lists and was refused
// if one took longer than MaxWait.
func TestReload_ADocumentIsInUseOnceTheListsOfItsChecksAreRead(t *testing.T) {
	f := newFolder(t)
	list := certauthtest.NewCRLServer(t, f.a)
	var fetched atomic.Int32
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		fetched.Add(1)
		list.ServeHTTP(w, r)
	}))
	t.Cleanup(server.Close)
	document := func(wait string) string {
		return fmt.Sprintf(`{
  "source": {"header": {"from": {"insecureAnyPeer": {}}, "name": "X-Client-Cert", "format": "base64DER"}},
  "policy": {"all": [{"chain": {"roots": {"pemFile": "a.pem"}}}, {"notRevoked": {"checker": "lists"}}]},
  "revocation": {"lists": {"sources": "crlOnly", "maxWait": %q, "lists": [{"url": %q}], "issuers": {"pemFile": "a.pem"},
    "http": {"allowNets": ["127.0.0.1/32"], "allowPorts": [%d]}}}
}`, wait, server.URL+"/a.crl", server.Listener.Addr().(*net.TCPAddr).Port)
	}
	path := f.write("policy.json", document("5s"))
	auth := open(t, path, certauth.Config{})
	require.NoError(t, auth.Checkers()["lists"].Preload(t.Context()))
	require.EqualValues(t, 1, fetched.Load())
	f.write("policy.json", document("1ns"))
	require.NoError(t, auth.Reload(t.Context()))
	assert.EqualValues(t, 2, fetched.Load())
	status, _ := call(auth, roles, "X-Client-Cert", f.clientA.Base64())
	assert.Equal(t, http.StatusOK, status)
	f.write("policy.json", document("1ns")+"\n")
	require.NoError(t, auth.Reload(t.Context()))
	assert.EqualValues(t, 2, fetched.Load(), "a check that did not change keeps its lists")
	list.SetFault(certauthtest.Down)
	f.write("policy.json", document("2ns"))
	require.NoError(t, auth.Reload(t.Context()), "an outage keeps no document from coming into use")
}

// A document that does not come into use reports nothing itself, however often it is read.
func TestReload_DocumentThatIsNotUsedReportsNothing(t *testing.T) {
	f := newFolder(t)
	path := f.write("policy.json", scoped)
	var log bytes.Buffer
	told := 0
	auth := open(t, path, certauth.Config{
		Logger:  slog.New(slog.NewTextHandler(&log, nil)),
		Observe: func(context.Context, certauth.Event) { told++ },
	})
	require.Contains(t, log.String(), "certauth: configured")
	log.Reset()
	soon := certauthtest.NewCA(t, "Soon", certauthtest.Valid(time.Now().Add(-time.Hour), time.Now().Add(time.Hour)))
	f.write("a.pem", string(f.a.PEM())+string(soon.PEM()))
	f.write("policy.json", strings.Replace(scoped, `"expect": "excluded"`, `"expect": "accepted"`, 1))
	told = 0
	require.Error(t, auth.Reload(t.Context()))
	assert.NotContains(t, log.String(), "certauth: configured")
	assert.NotContains(t, log.String(), "expiring")
	assert.Equal(t, 1, strings.Count(log.String(), "policy document kept"))
	assert.Equal(t, 1, told)
	f.write("policy.json", scoped+" ")
	require.NoError(t, auth.Reload(t.Context()))
	assert.Contains(t, log.String(), "certauth: configured")
	assert.Contains(t, log.String(), "expiring")
}

// finding P20: what a document that comes into use reports about its own certificates was told before
// "reloaded", which supersedes what was reported before it.
func TestReload_ADocumentIsInUseBeforeItReportsItsCertificates(t *testing.T) {
	f := newFolder(t)
	path := f.write("policy.json", scoped)
	var told []certauth.Event
	auth := open(t, path, certauth.Config{Observe: func(_ context.Context, event certauth.Event) { told = append(told, event) }})
	require.Empty(t, told)
	soon := certauthtest.NewCA(t, "Soon", certauthtest.Valid(time.Now().Add(-time.Hour), time.Now().Add(time.Hour)))
	f.write("a.pem", string(f.a.PEM())+string(soon.PEM()))
	f.write("policy.json", scoped+" ")
	require.NoError(t, auth.Reload(t.Context()))
	require.Len(t, told, 2)
	assert.Equal(t, certauth.Outcome("reloaded"), told[0].Outcome)
	assert.Empty(t, told[0].Source, "it concerns the whole document")
	assert.Equal(t, certauth.Outcome("expiring"), told[1].Outcome)
	assert.NotEmpty(t, told[1].Source)
}

// The gate of the document checks the socket of the service, although that of its cases accepts
// every sender.
func TestHandler_TheGateIsThatOfTheDocument(t *testing.T) {
	f := newFolder(t)
	for peers, want := range map[string]int{"127.0.0.1": 200, "10.0.0.0/8": 401} {
		auth := open(t, f.write("policy.json", `{
  "source": {"header": {"from": {"peers": ["`+peers+`"]}, "name": "X-Client-Cert", "format": "base64DER"}},
  "policy": {"chain": {"roots": {"pemFile": "a.pem"}}},
  "cases": [{"name": "A", "headers": ["X-Client-Cert: @A@"], "at": "now", "expect": "accepted"}]
}`), certauth.Config{})
		for _, kept := range []bool{true, false} {
			server := httptest.NewUnstartedServer(auth.Handler(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {})))
			if kept {
				server.Config.ConnContext = certauth.ConnContext
			} else {
				want = 401 // the socket is not known, so the gate refuses
			}
			server.Start()
			t.Cleanup(server.Close)
			r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, server.URL, http.NoBody)
			require.NoError(t, err)
			r.Header.Set("X-Client-Cert", f.clientA.Base64())
			response, err := server.Client().Do(r)
			require.NoError(t, err)
			require.NoError(t, response.Body.Close())
			assert.Equal(t, want, response.StatusCode, "peers %s, socket kept: %t", peers, kept)
		}
	}
}

// Middleware outside the Handler finds the route, as with certauth's own Handler.
func TestHandler_GivesPatternAndPathValuesBack(t *testing.T) {
	f := newFolder(t)
	auth := open(t, f.write("policy.json", numbered(0)), certauth.Config{})
	mux := http.NewServeMux()
	mux.Handle("GET /orders/{id}", auth.Require(certauth.Matched{"first-0"})(roles))
	r := httptest.NewRequest(http.MethodGet, "/orders/7", http.NoBody)
	r.Header.Set("X-Cert-0", f.clientA.Base64())
	w := httptest.NewRecorder()
	auth.Handler(mux).ServeHTTP(w, r)
	assert.Equal(t, 200, w.Code)
	assert.Equal(t, "GET /orders/{id}", r.Pattern)
	assert.Equal(t, "7", r.PathValue("id"))
	assert.False(t, slices.Contains([]string{w.Body.String()}, ""))
}

// A route is judged by the document of the Authenticator that made it, even inside the Handler of
// another one. Formerly a caller was accepted that satisfied the policy with the same number in the
// other document.
func TestRequire_IsOfItsOwnDocument(t *testing.T) {
	f := newFolder(t)
	document := f.write("policy.json", numbered(0))
	inner, outer := open(t, document, certauth.Config{}), open(t, document, certauth.Config{})
	route := inner.Require(certauth.Chain{Roots: certauth.PEMFile(filepath.Join(f.dir, "b.pem"))})(roles)
	outer.Require(certauth.Matched{"first-0"})
	status, _ := call(outer, route, "X-Cert-0", f.clientA.Base64())
	assert.Equal(t, 401, status, "the other Authenticator has a route with the same number")
	second := inner.Require(certauth.Matched{"first-0"})(roles)
	status, _ = call(outer, second, "X-Cert-0", f.clientA.Base64())
	assert.Equal(t, 401, status, "the other Authenticator has no route with that number")

	own := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { outer.Handler(route).ServeHTTP(w, r) })
	status, _ = call(inner, own, "X-Cert-0", f.clientA.Base64())
	assert.Equal(t, 401, status, "the identity is that of the document in between, which no longer finds a header")
}
