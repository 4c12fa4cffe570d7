package main

import (
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"net/netip"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"time"

	"github.com/seed2886b8ae/go-certauth/certauth"
	"github.com/seed2886b8ae/go-certauth/certauth/forwarded"
	"github.com/seed2886b8ae/go-certauth/certauth/policyfile"
	"github.com/seed2886b8ae/go-certauth/certauth/revocation"
)

var checkCommand = &command{
	name: "check", args: "FILE", short: "whether a policy document is right, its cases pass, and what is weak about it",
	long: `
It reads the document as a service does, runs its cases, warns about what is weak (SHA-1 pins, a pin
without a backup, failing softly, certificates of the configuration that end, gates that let everybody
or a wide network through, serverAuth taken for clientAuth, no cases), and prints the policy in effect.

The document is JSON. YAML is not read: convert it first, and review and roll out the JSON.

  certauth check policy.json

Exit status: 0 all is well; 1 a mistake, a case that fails, or with -strict a warning; 2 the file could
not be opened.`,
	run: runCheck,
}

// checked is the answer of the command.
type checked struct {
	OK       bool          `json:"ok"`
	Mistakes []mistakeJSON `json:"mistakes,omitempty"`
	Cases    []caseJSON    `json:"cases,omitempty"`
	Warnings []warning     `json:"warnings,omitempty"`
	Policy   string        `json:"policy,omitempty"`
}

type mistakeJSON struct {
	Line   int    `json:"line"`
	Column int    `json:"column"`
	Path   string `json:"path"`
	Text   string `json:"text"`
}

type caseJSON struct {
	Name    string `json:"name"`
	Passed  bool   `json:"passed"`
	Failure string `json:"failure,omitempty"`
}

type warning struct {
	Path string `json:"path"`
	Line int    `json:"line,omitempty"`
	Text string `json:"text"`
}

func runCheck(p *program, c *command, args []string) (int, error) {
	fs := p.flags(c)
	strict := fs.Bool("strict", false, "warnings make the exit status 1 as well")
	asJSON := fs.Bool("json", false, "write JSON")
	rest, err := p.parse(c, fs, args, 1, 1)
	if err != nil {
		return 0, err
	}
	result, err := p.check(rest[0])
	if err != nil {
		return 0, err
	}
	if *strict && len(result.Warnings) > 0 {
		result.OK = false
	}
	if *asJSON {
		err = p.json(result)
	} else {
		p.printChecked(filepath.Base(rest[0]), result)
	}
	if !result.OK {
		return exitNo, err
	}
	return exitOK, err
}

func (p *program) check(name string) (*checked, error) {
	result := &checked{}
	if err := isFile(name); err != nil {
		return nil, err
	}
	doc, err := policyfile.Load(name, certauth.Config{Now: p.now})
	if mistakes, ok := errors.AsType[policyfile.Mistakes](err); ok {
		for _, m := range mistakes {
			result.Mistakes = append(result.Mistakes, mistakeJSON{m.Line, m.Column, m.Path, m.Text})
		}
		return result, nil
	}
	if err != nil {
		return nil, err
	}
	defer func() { _ = doc.Close() }() // no longer used to judge
	cases, err := doc.RunCases(p.ctx)
	if err != nil {
		return nil, err
	}
	result.OK = true
	for _, one := range cases {
		result.Cases = append(result.Cases, caseJSON{one.Case.Name, one.Failure == "", one.Failure})
		result.OK = result.OK && one.Failure == ""
	}
	w := &weak{doc: doc, now: p.now()}
	w.document()
	result.Warnings = w.found
	result.Policy = doc.Authenticator().String()
	return result, nil
}

// isFile refuses names that are not regular files, which cannot be checked.
func isFile(name string) error {
	if name == "-" {
		return usageError{"stdin is not read, since the document's files lie beside it; give its name"}
	}
	info, err := os.Stat(name)
	if err != nil {
		return err
	}
	if !info.Mode().IsRegular() {
		return fmt.Errorf("%s is not a regular file", name)
	}
	file, err := os.Open(name) //nolint:gosec // the operator names it
	if err != nil {
		return err
	}
	return file.Close()
}

func (p *program) printChecked(name string, result *checked) {
	for _, m := range result.Mistakes {
		fmt.Fprintf(p.out, "%s %s\n", p.paint(red, "mistake"), policyfile.Mistake{File: name, Line: m.Line, Column: m.Column, Path: m.Path, Text: m.Text})
	}
	passed := 0
	for _, one := range result.Cases {
		if one.Passed {
			passed++
			continue
		}
		fmt.Fprintf(p.out, "%s %q: %s\n", p.paint(red, "case"), one.Name, one.Failure)
	}
	for _, w := range result.Warnings {
		where := name
		if w.Line > 0 {
			where = fmt.Sprintf("%s:%d", name, w.Line)
		}
		fmt.Fprintf(p.out, "%s %s: %s: %s\n", p.paint(yellow, "warning"), where, w.Path, w.Text)
	}
	if result.Policy != "" {
		fmt.Fprintf(p.out, "\n%s\n%d of %d cases pass.\n", result.Policy, passed, len(result.Cases))
	}
	switch {
	case len(result.Mistakes) > 0:
		noun := "mistakes"
		if len(result.Mistakes) == 1 {
			noun = "mistake"
		}
		fmt.Fprintf(p.out, "%d %s: a service goes on with its last good document.\n", len(result.Mistakes), noun)
	case !result.OK && passed < len(result.Cases):
		fmt.Fprintln(p.out, "A case fails: a service goes on with its last good document.")
	case result.OK:
		fmt.Fprintln(p.out, p.paint(green, "ok"))
	}
}

// weak finds settings that are permitted but should be reviewed.
type weak struct {
	doc   *policyfile.Document
	now   time.Time
	found []warning
}

func (w *weak) warn(path, format string, args ...any) {
	line, _ := w.doc.Position(path)
	w.found = append(w.found, warning{path, line, fmt.Sprintf(format, args...)})
}

func (w *weak) document() {
	config := w.doc.Config
	w.source(config.Source)
	w.policy(config.Policy, "Policy")
	if config.InsecureReportOnly {
		w.warn("InsecureReportOnly", "nobody is kept out")
	}
	if config.Optional {
		w.warn("Optional", "a request without a certificate reaches the handlers; each route that needs one has to ask for it")
	}
	for i, exclusion := range config.Exclusions {
		path := fmt.Sprintf("Exclusions[%d]", i)
		if exclusion.Path == "/" {
			w.warn(path, "the root path needs no certificate")
		}
		if exclusion.Method != "" && exclusion.Method != http.MethodGet && exclusion.Method != http.MethodHead {
			w.warn(path, "%s %s needs no certificate, and such a request may change something", exclusion.Method, exclusion.Path)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(w.doc.Revocation)) {
		check := w.doc.Revocation[name]
		path := "Revocation." + name
		if check.Mode == revocation.SoftFail {
			w.warn(path, "softFail: who can keep this service from the responder can use a revoked certificate")
		}
		if check.Scope == revocation.LeafOnly {
			w.warn(path, "leafOnly: a revoked issuing CA is not seen")
		}
		if check.AllowNoSource {
			w.warn(path, "allowNoSource: certificates that name nobody to ask are never found revoked")
		}
		if check.Verify.AllowSHA1 {
			w.warn(path, "allowSHA1: evidence with SHA-1 signatures can be forged")
		}
		w.ends(path+".Issuers", check.Issuers)
		for i, responder := range check.Responders {
			path := fmt.Sprintf("%s.Responders[%d]", path, i)
			if responder.Issuer != nil {
				w.ends(path+".Issuer", []*x509.Certificate{responder.Issuer})
			}
			w.ends(path+".Trusted", responder.Trusted)
		}
	}
	if len(w.doc.Cases) == 0 {
		w.warn("", "no cases: nothing shows what the document means, and nothing keeps a change from meaning something else")
	}
}

func (w *weak) source(source certauth.Source) {
	if own, ok := source.(forwarded.AppService); ok && own.InsecureOutsideAppService {
		w.warn("Source", "insecureOutsideAppService: whoever reaches the port can be any client")
	}
	v := reflect.Indirect(reflect.ValueOf(source))
	if v.Kind() != reflect.Struct {
		return
	}
	if sourceVerifies(source) {
		w.warn("Source.FrontEndVerifies", "the front end's word stands for a chain: who writes its headers is anybody")
	}
	w.gate(v.FieldByName("From"))
}

var (
	combinedGates = reflect.TypeOf(forwarded.AnyGate()) // of EveryGate too
	proxyGate     = reflect.TypeOf(forwarded.ProxyProtocol(nil))
	addressGate   = reflect.TypeOf(forwarded.InsecureRemoteAddr())
	anybodyGate   = reflect.TypeOf(forwarded.InsecureAnyPeer())
)

// gate examines a gate, the gates in it, and their lists of networks. It looks into nothing else, because
// gates also hold secrets and policies.
func (w *weak) gate(v reflect.Value) {
	switch v.Kind() { //nolint:exhaustive // gates have no other kinds
	case reflect.Interface:
		w.gate(v.Elem())
	case reflect.Slice:
		if v.Type() == addressGate {
			w.warn("Source.From", "insecureRemoteAddr: middleware or a PROXY header may have written the address")
		}
		for i := range v.Len() {
			w.gate(v.Index(i))
		}
	case reflect.Struct:
		switch v.Type() {
		case anybodyGate:
			w.warn("Source.From", "insecureAnyPeer: whoever reaches the port can be any client")
		case combinedGates, proxyGate:
			for i := range v.NumField() {
				w.gate(v.Field(i))
			}
		}
	case reflect.String:
		network, err := netip.ParsePrefix(v.String())
		if err == nil && (network.Bits() < 16 || network.Addr().Is6() && network.Bits() < 48) {
			w.warn("Source.From", "%s is very wide: whoever has an address in it can be any client", network)
		}
	}
}

func (w *weak) policy(policy certauth.Policy, path string) {
	switch p := policy.(type) {
	case certauth.All:
		for i, member := range p {
			w.policy(member, fmt.Sprintf("%s.All[%d]", path, i))
		}
	case certauth.Any:
		for i, member := range p {
			w.policy(member, fmt.Sprintf("%s.Any[%d]", path, i))
		}
	case certauth.Not:
		w.policy(p.Policy, path+".Not")
	case certauth.Named:
		w.policy(p.Policy, fmt.Sprintf("%s.Named(%q)", path, p.Name))
	case certauth.AcceptServerAuth:
		w.warn(path+".AcceptServerAuth", "a web server's certificate is taken for a client's (%s)", p.Reason)
		w.policy(p.Policy, path+".AcceptServerAuth")
	case certauth.ThumbprintsSHA1:
		w.warn(path+".ThumbprintsSHA1", "SHA-1: two certificates of one thumbprint can be made; use thumbprints")
		w.pins(path+".ThumbprintsSHA1", p)
	case certauth.Thumbprints:
		w.pins(path+".Thumbprints", p)
	case certauth.PublicKeys:
		w.pins(path+".PublicKeys", p)
	case certauth.Chain:
		w.chain(p, path+".Chain")
	case certauth.DNSNames:
		for _, name := range p {
			if strings.HasPrefix(name, "*.") && strings.Count(name, ".") < 3 {
				w.warn(path+".DNSNames", "%q matches every name one level below", name)
			}
		}
	case certauth.IPs:
		for _, text := range p {
			if prefix, err := netip.ParsePrefix(text); err == nil && prefix.Bits() < prefix.Addr().BitLen()/4 {
				w.warn(path+".IPs", "%s is very wide", text)
			}
		}
	case certauth.Validity:
		if p.ClockSkew > 5*time.Minute {
			w.warn(path+".Validity", "clockSkew %s: certificates count that long after their end", p.ClockSkew)
		}
	default:
		name := kindName(policy)
		if name == "ThumbprintsSHA1From" {
			w.warn(path+"."+name, "SHA-1: two certificates of one thumbprint can be made; use thumbprintsFrom")
		}
		if set, ok := policy.(interface{ List() []*x509.Certificate }); ok {
			w.ends(path+".Certificates", set.List())
		}
	}
}

func (w *weak) pins(path string, list []string) {
	if len(list) == 1 {
		w.warn(path, "one pin and no backup: a renewal with another key or certificate is an outage")
	}
}

func (w *weak) chain(chain certauth.Chain, path string) {
	if reflect.TypeOf(chain.Roots) == reflect.TypeOf(certauth.InsecureSystemRoots()) {
		w.warn(path+".Roots", "insecureSystemRoots: every public CA can issue for these names")
	}
	w.ends(path+".Roots", materialOf(chain.Roots))
	w.ends(path+".Intermediates", materialOf(chain.Intermediates))
}

// ends adds warnings about certificates of the configuration that expire soon or have expired.
func (w *weak) ends(path string, certs []*x509.Certificate) {
	for _, cert := range certs {
		name := nameOf(cert.RawSubject)
		switch {
		case cert.NotAfter.Before(w.now):
			w.warn(path, "%s has ended on %s", name, cert.NotAfter.UTC().Format(time.DateOnly))
		case cert.NotAfter.Before(w.now.Add(90 * 24 * time.Hour)):
			w.warn(path, "%s ends on %s", name, cert.NotAfter.UTC().Format(time.DateOnly))
		}
	}
}

// materialOf reads certificates to check their dates. certauth.New reports those that cannot be read.
func materialOf(source certauth.CertSource) []*x509.Certificate {
	switch s := source.(type) {
	case certauth.PEM:
		return pemCertificates(s)
	case certauth.Env:
		return pemCertificates([]byte(os.Getenv(string(s))))
	case certauth.PEMFile:
		return fileCertificates(string(s))
	case certauth.CertFile:
		return fileCertificates(string(s))
	case certauth.CertDir:
		entries, _ := os.ReadDir(string(s))
		var all []*x509.Certificate
		for _, entry := range entries {
			if slices.Contains([]string{".pem", ".crt", ".cer", ".der"}, strings.ToLower(filepath.Ext(entry.Name()))) {
				all = append(all, fileCertificates(filepath.Join(string(s), entry.Name()))...)
			}
		}
		return all
	case interface{ List() []*x509.Certificate }:
		return s.List()
	}
	return nil
}

func fileCertificates(name string) []*x509.Certificate {
	content, err := os.ReadFile(name) //nolint:gosec // the operator's document names it
	if err != nil {
		return nil
	}
	if cert, err := x509.ParseCertificate(content); err == nil {
		return []*x509.Certificate{cert}
	}
	return pemCertificates(content)
}

func pemCertificates(content []byte) []*x509.Certificate {
	var all []*x509.Certificate
	for block, rest := pem.Decode(content); block != nil; block, rest = pem.Decode(rest) {
		if cert, err := x509.ParseCertificate(block.Bytes); err == nil {
			all = append(all, cert)
		}
	}
	return all
}
