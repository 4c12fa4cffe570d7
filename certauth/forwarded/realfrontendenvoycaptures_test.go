//go:build unix

package forwarded_test

import (
	"bufio"
	"bytes"
	"crypto/sha1"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed2886b8ae/go-certauth/certauth/certauthtest"
)

// envoyWrites is one stored capture: what a client sends, and the outcome.
type envoyWrites struct {
	config, scenario string
	client           string // the client's name in pki; empty for a client without a certificate
	sends            string // the X-Forwarded-Client-Cert that the client sends, with names for certificates
	http2            bool
	expect           []envoyExpects
}

type envoyExpects struct {
	Source  string   `json:"source"`
	Outcome string   `json:"outcome"`
	Leaf    string   `json:"leaf,omitempty"`
	Chain   []string `json:"chain,omitempty"`
	Forged  bool     `json:"forged,omitempty"`
}

// envoyConfigs are the configurations of the captures. The first source of each requires exactly
// one element, unless it counts two hops.
var envoyConfigs = map[string]struct {
	file    string
	mode    envoyMode
	sources []string
}{
	"sanitize":            {"modes.yaml", envoyMode{Forward: "SANITIZE", Details: everything}, []string{"xfcc"}},
	"sanitize_set":        {"modes.yaml", envoyMode{Forward: "SANITIZE_SET", Details: leafAndChain}, []string{"xfcc"}},
	"everything":          {"modes.yaml", envoyMode{Forward: "SANITIZE_SET", Details: everything}, []string{"xfcc"}},
	"hash":                {"modes.yaml", envoyMode{Forward: "SANITIZE_SET", Details: "{}"}, []string{"xfcc"}},
	"forward_only":        {"modes.yaml", envoyMode{Forward: "FORWARD_ONLY", Details: everything}, []string{"xfcc"}},
	"always_forward_only": {"modes.yaml", envoyMode{Forward: "ALWAYS_FORWARD_ONLY", Details: everything}, []string{"xfcc"}},
	"append_forward":      {"modes.yaml", envoyMode{Forward: "APPEND_FORWARD", Details: leafAndChain}, []string{"xfcc", "xfcc-last"}},
	"json":                {"modes.yaml", envoyMode{Forward: "SANITIZE_SET", Details: everythingJSON}, []string{"xfcc-json", "xfcc"}},
	"json-sanitize_set":   {"modes.yaml", envoyMode{Forward: "SANITIZE_SET", Details: leafAndChainJSON}, []string{"xfcc-json"}},
	"json-append_forward": {"modes.yaml", envoyMode{Forward: "APPEND_FORWARD", Details: leafAndChainJSON}, []string{"xfcc-json", "xfcc-json-last"}},
	"two-hops":            {"two-hops.yaml", envoyMode{Forward: "SANITIZE_SET", Details: leafAndChain, SecondForward: "APPEND_FORWARD", SecondDetails: "{cert: true}"}, []string{"xfcc-hops", "xfcc-last"}},
	"json-two-hops":       {"two-hops.yaml", envoyMode{Forward: "SANITIZE_SET", Details: leafAndChainJSON, SecondForward: "APPEND_FORWARD", SecondDetails: "{cert: true}"}, []string{"xfcc-json-hops"}},
}

func isClient(source string) envoyExpects {
	return envoyExpects{source, "certificate", "e-client", []string{"e-issuing"}, false}
}

func isOther(source string) envoyExpects {
	return envoyExpects{source, "certificate", "e-other", nil, true}
}

func isNone(source string) envoyExpects   { return envoyExpects{Source: source, Outcome: "absent"} }
func isBroken(source string) envoyExpects { return envoyExpects{Source: source, Outcome: "malformed"} }

const (
	otherText = "Hash=<sha256 e-other>;Cert=\"<e-other>\""
	otherJSON = `[{"hash":"<sha256 e-other>","cert":"<json e-other>"}]`
)

var envoyCaptures = []envoyWrites{
	{"sanitize", "valid", "e-client", "", false, []envoyExpects{isNone("xfcc")}},
	{"sanitize", "valid-and-spoofed", "e-client", otherText, false, []envoyExpects{isNone("xfcc")}},
	{"sanitize_set", "valid", "e-client", "", false, []envoyExpects{isClient("xfcc")}},
	{"sanitize_set", "http2-client", "e-client", "", true, []envoyExpects{isClient("xfcc")}},
	{"sanitize_set", "valid-and-spoofed", "e-client", otherText, false, []envoyExpects{isClient("xfcc")}},
	{"sanitize_set", "no-certificate", "", "", false, []envoyExpects{isNone("xfcc")}},
	{"sanitize_set", "no-certificate-spoofed", "", otherText, false, []envoyExpects{isNone("xfcc")}},
	{"hash", "valid", "e-client", "", false, []envoyExpects{isBroken("xfcc")}},
	{"everything", "valid", "e-client", "", false, []envoyExpects{isClient("xfcc")}},
	{"everything", "uri-san-with-separators", "e-names", "", false, []envoyExpects{isBroken("xfcc")}},
	{"forward_only", "valid", "e-client", "", false, []envoyExpects{isNone("xfcc")}},
	{"forward_only", "valid-and-spoofed", "e-client", otherText, false, []envoyExpects{isOther("xfcc")}},
	{"forward_only", "no-certificate-spoofed", "", otherText, false, []envoyExpects{isNone("xfcc")}},
	{"always_forward_only", "no-certificate-spoofed", "", otherText, false, []envoyExpects{isOther("xfcc")}},
	{"append_forward", "valid", "e-client", "", false, []envoyExpects{isClient("xfcc"), isClient("xfcc-last")}},
	{"append_forward", "valid-and-spoofed", "e-client", otherText, false, []envoyExpects{isBroken("xfcc"), isClient("xfcc-last")}},
	{"append_forward", "valid-and-spoofed-json", "e-client", otherJSON, false, []envoyExpects{isBroken("xfcc"), isBroken("xfcc-last")}},
	{"append_forward", "no-certificate-spoofed", "", otherText, false, []envoyExpects{isNone("xfcc"), isNone("xfcc-last")}},
	{"json-sanitize_set", "valid", "e-client", "", false, []envoyExpects{isClient("xfcc-json")}},
	{"json", "valid", "e-client", "", false, []envoyExpects{isClient("xfcc-json"), isBroken("xfcc")}},
	{"json", "uri-san-with-separators", "e-names", "", false, []envoyExpects{{"xfcc-json", "certificate", "e-names", []string{"e-issuing"}, false}, isBroken("xfcc")}},
	{"json", "no-certificate-spoofed", "", otherJSON, false, []envoyExpects{isNone("xfcc-json"), isNone("xfcc")}},
	{"json-append_forward", "valid-and-spoofed", "e-client", otherJSON, false, []envoyExpects{isBroken("xfcc-json"), isClient("xfcc-json-last")}},
	{"json-append_forward", "valid-and-spoofed-text", "e-client", otherText, false, []envoyExpects{isBroken("xfcc-json"), isBroken("xfcc-json-last")}},
	{"json-append_forward", "empty-array", "e-client", "[]", false, []envoyExpects{isBroken("xfcc-json"), isBroken("xfcc-json-last")}},
	{"json-append_forward", "open-string", "e-client", `[{"subject":"]`, false, []envoyExpects{isBroken("xfcc-json"), isBroken("xfcc-json-last")}},
	{"two-hops", "valid", "e-client", "", false, []envoyExpects{isClient("xfcc-hops"), {"xfcc-last", "certificate", "e-gateway", nil, false}}},
	{"two-hops", "no-certificate-spoofed", "", otherText, false, []envoyExpects{isBroken("xfcc-hops"), {"xfcc-last", "certificate", "e-gateway", nil, false}}},
	{"json-two-hops", "valid", "e-client", "", false, []envoyExpects{isClient("xfcc-json-hops")}},
}

// The stored captures are what Envoy writes, except for the certificates in them. With
// CERTAUTH_CAPTURE=1 they are captured again.
func TestRealFrontEnds_EnvoyCaptures(t *testing.T) {
	from, to := time.Date(2026, 11, 1, 0, 0, 0, 0, time.UTC), time.Date(2036, 11, 1, 0, 0, 0, 0, time.UTC)
	valid := certauthtest.Valid(from, to)
	c := newCast(t)
	names := certauthtest.DNS("client.example.test")
	own := map[string]*certauthtest.Certificate{
		"e-root": {Certificate: c.root.Certificate}, "e-issuing": {Certificate: c.issuing.Certificate},
		"e-client":  c.issuing.Issue(t, "client", valid, names, certauthtest.URI(t, "spiffe://example.test/client")),
		"e-other":   c.issuing.Issue(t, "other", valid, names),
		"e-names":   c.issuing.Issue(t, `cl"ient, one; x=y`, valid, names, certauthtest.URI(t, "spiffe://example.test/ns/a;b=c/sa/d,e")),
		"e-gateway": c.proxy,
	}
	kept := map[string]string{}
	for name, cert := range pki(t) {
		kept[name] = asPEM(cert)
	}
	made := map[string]string{}
	for name, cert := range own {
		made[name] = string(cert.PEM())
	}

	var captures []map[string]any
	for name, config := range envoyConfigs {
		recorder := newRecorder(t)
		front := envoy.start(t, config.file, settings{App: recorder.address, Verify: "VERIFY_TRUST_CHAIN", Envoy: httpUpstream(config.mode)}, c)
		for _, capture := range envoyCaptures {
			if capture.config != name {
				continue
			}
			var lines []string
			if capture.sends != "" {
				lines = xfccLines(withCertificates(capture.sends, own))
			}
			told := visit{tls: c.tlsConfig(own[capture.client]), lines: lines, http2: capture.http2}.send(t, front.address)
			require.Equal(t, http.StatusOK, told.status, "%v", told.refused)
			captures = append(captures, capture.record(recorder.last()))
		}
	}
	slices.SortFunc(captures, func(a, b map[string]any) int { return strings.Compare(a["id"].(string), b["id"].(string)) })
	if os.Getenv("CERTAUTH_CAPTURE") == "1" {
		keepCaptures(t, captures, own)
		return
	}
	have, want := map[string]string{}, map[string]string{}
	for _, one := range captures {
		have[one["id"].(string)] = withoutCertificates(one["request"].(map[string]any)["headers"].([][2]string), made)
	}
	for _, file := range captureFiles(t) {
		for _, one := range file.Captures {
			if file.name == "envoy" {
				want[one.ID] = withoutCertificates(one.Request.Headers, kept)
			}
		}
	}
	assert.Equal(t, want, have)
}

func httpUpstream(mode envoyMode) envoyMode {
	mode.Upstream = "http_protocol_options"
	return mode
}

var placeholder = regexp.MustCompile(`<(json |sha256 )?([a-z-]+)>`)

// withCertificates replaces the names of certificates by the certificates.
func withCertificates(text string, certs map[string]*certauthtest.Certificate) string {
	return placeholder.ReplaceAllStringFunc(text, func(found string) string {
		parts := placeholder.FindStringSubmatch(found)
		switch cert := certs[parts[2]]; parts[1] {
		case "json ":
			return strings.Trim(jsonText(string(cert.PEM())), `"`)
		case "sha256 ":
			return cert.Thumbprint()
		default:
			return escape(string(cert.PEM()))
		}
	})
}

// withoutCertificates does the opposite, for Envoy's header among these.
func withoutCertificates(headers [][2]string, pems map[string]string) string {
	var values []string
	for _, header := range headers {
		if header[0] == xfcc {
			values = append(values, header[1])
		}
	}
	text := strings.Join(values, "\n")
	for name, one := range pems {
		block, _ := pem.Decode([]byte(one))
		for _, form := range []struct{ prefix, text string }{{"", escape(one)}, {"json ", strings.Trim(jsonText(one), `"`)}, {"sha256 ", thumbprint(block.Bytes)}} {
			text = strings.ReplaceAll(text, form.text, "<"+form.prefix+name+">")
		}
	}
	return text
}

// record returns the capture in the form of testdata/captures.
func (c envoyWrites) record(request map[string]any) map[string]any {
	client := map[string]any{"certificates": []string{}, "http": "1.1"}
	if c.client != "" {
		client["certificates"] = []string{c.client, "e-issuing"}
	}
	if c.http2 {
		client["http"] = "2"
	}
	if c.sends != "" {
		client["headers"] = xfcc + ": " + c.sends
	}
	return map[string]any{"id": "envoy/" + c.config + "/" + c.scenario, "config": c.config, "scenario": c.scenario, "client": client, "request": request, "expect": c.expect}
}

func keepCaptures(t *testing.T, captures []map[string]any, own map[string]*certauthtest.Certificate) {
	t.Helper()
	configs := map[string]any{}
	for name, config := range envoyConfigs {
		lines := []string{"forward_client_cert_details: " + config.mode.Forward, "set_current_client_cert_details: " + config.mode.Details}
		if config.mode.SecondForward != "" {
			lines = append(lines, "sidecar: forward_client_cert_details: "+config.mode.SecondForward, "sidecar: set_current_client_cert_details: "+config.mode.SecondDetails)
		}
		var sources []map[string]any
		for _, source := range config.sources {
			described := map[string]any{"name": source, "format": "xfcc", "header": xfcc}
			if strings.HasPrefix(source, "xfcc-json") {
				described["format"] = "xfcc-json"
			}
			switch {
			case strings.HasSuffix(source, "hops"):
				described["hops"], described["by"] = 2, []string{sidecar}
			case strings.HasSuffix(source, "last"):
				described["hops"] = 1
			default:
				described["elements"] = 1
			}
			sources = append(sources, described)
		}
		configs[name] = map[string]any{"lines": lines, "sources": sources}
	}
	writeJSON(t, "envoy.json", map[string]any{
		"schema": 1, "front_end": "Envoy", "version": "1.40.0", "kind": "captured", "trusted_peers": []string{"127.0.0.1/32"}, "verify_at": "2026-12-01T00:00:00Z",
		"note":    "Captured by TestRealFrontEnds_EnvoyCaptures, with the files of testdata/frontends/envoy. In client.headers names stand for certificates.",
		"configs": configs, "captures": captures,
	})
	index := map[string]any{}
	content, err := os.ReadFile(filepath.Join(capturesFolder, "pki", "index.json"))
	require.NoError(t, err)
	require.NoError(t, json.Unmarshal(content, &index))
	for name, cert := range own {
		require.NoError(t, os.WriteFile(filepath.Join(capturesFolder, "pki", name+".pem"), cert.PEM(), 0o600))
		issuer := map[string]string{"e-root": "e-root", "e-issuing": "e-root", "e-gateway": "-"}[name]
		if issuer == "" {
			issuer = "e-issuing"
		}
		sum := sha1.Sum(cert.Raw)
		index["certificates"].(map[string]any)[name] = map[string]any{
			"file": "pki/" + name + ".pem", "sha256": thumbprint(cert.Raw), "sha1": fmt.Sprintf("%x", sum), "spki_sha256": thumbprint(cert.RawSubjectPublicKeyInfo),
			"subject": cert.Subject.String(), "issuer": issuer, "not_before": cert.NotBefore, "not_after": cert.NotAfter, "der_bytes": len(cert.Raw),
		}
	}
	writeJSON(t, filepath.Join("pki", "index.json"), index)
}

func writeJSON(t *testing.T, name string, content any) {
	t.Helper()
	var text bytes.Buffer
	encoder := json.NewEncoder(&text)
	encoder.SetEscapeHTML(false)
	encoder.SetIndent("", " ")
	require.NoError(t, encoder.Encode(content))
	require.NoError(t, os.WriteFile(filepath.Join(capturesFolder, name), text.Bytes(), 0o600))
}

// wireRecorder answers 200 and stores the last request as it arrived.
type wireRecorder struct {
	address string

	mu      sync.Mutex
	request map[string]any
}

func newRecorder(t *testing.T) *wireRecorder {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	t.Cleanup(func() { _ = listener.Close() })
	recorder := &wireRecorder{address: listener.Addr().String()}
	go func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			t.Cleanup(func() { _ = conn.Close() })
			go recorder.serve(conn)
		}
	}()
	return recorder
}

func (r *wireRecorder) serve(conn net.Conn) {
	defer func() { _ = conn.Close() }()
	var wire bytes.Buffer
	reader := bufio.NewReader(io.TeeReader(conn, &wire))
	for {
		request, err := http.ReadRequest(reader)
		if err != nil {
			return
		}
		_, _ = io.Copy(io.Discard, request.Body)
		var headers [][2]string
		for line := range strings.Lines(wire.String()) {
			if name, value, found := strings.Cut(strings.TrimRight(line, "\r\n"), ": "); found && !strings.EqualFold(name, "Host") {
				headers = append(headers, [2]string{http.CanonicalHeaderKey(name), value})
			}
		}
		wire.Reset()
		r.mu.Lock()
		r.request = map[string]any{
			"remote_addr": conn.RemoteAddr().String(), "net_http_status": 200, "method": request.Method, "target": request.RequestURI,
			"proto": request.Proto, "host": request.Host, "headers": headers,
		}
		r.mu.Unlock()
		if _, err := io.WriteString(conn, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"); err != nil {
			return
		}
	}
}

func (r *wireRecorder) last() map[string]any {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.request
}
