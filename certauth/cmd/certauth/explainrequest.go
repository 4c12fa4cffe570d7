package main

import (
	"bufio"
	"bytes"
	"crypto/x509"
	"fmt"
	"maps"
	"net/http"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/seed2886b8ae/go-certauth/certauth"
	"github.com/seed2886b8ae/go-certauth/certauth/certauthtest"
	"github.com/seed2886b8ae/go-certauth/certauth/forwarded"
)

func (e *explainer) blank() (*http.Request, error) {
	r, err := http.NewRequestWithContext(e.p.ctx, http.MethodGet, "http://explain.invalid/", http.NoBody)
	if err == nil {
		r.RequestURI, r.URL.Scheme, r.URL.Host = "/", "", ""
	}
	return r, err
}

func (e *explainer) headers(lines []string) (*explanation, error) {
	r, err := e.blank()
	if err != nil {
		return nil, err
	}
	e.evidence(r)
	for _, line := range lines {
		name, value, ok := strings.Cut(line, ":")
		if !ok || name == "" || strings.ContainsAny(name, " \t=%") {
			return nil, usageError{fmt.Sprintf("-header %s: want \"Name: value\"", quotedArgument(line))}
		}
		r.Header.Add(name, strings.TrimSpace(value))
	}
	return e.judge(r)
}

// evidence adds the headers that App Service adds to every request.
func (e *explainer) evidence(r *http.Request) {
	if _, ok := e.config.Source.(forwarded.AppService); ok {
		r.Header.Set("X-ARR-LOG-ID", "00000000-0000-0000-0000-000000000000")
		r.Header.Set("X-ARR-SSL", "2048|256|CN=issuer|CN=server")
		e.notes = append(e.notes, "the platform's evidence headers are taken to be there")
	}
}

func (e *explainer) request(name string) (*explanation, error) {
	content, err := e.p.read(name)
	if err != nil {
		return nil, err
	}
	content = bytes.TrimLeft(content, "\r\n")
	if !bytes.Contains(content, []byte("\r\n\r\n")) && !bytes.Contains(content, []byte("\n\n")) {
		content = append(bytes.TrimRight(content, "\r\n"), "\r\n\r\n"...)
	}
	r, err := http.ReadRequest(bufio.NewReaderSize(bytes.NewReader(content), 1<<20))
	if err != nil {
		text := err.Error()
		return nil, fmt.Errorf("%s: not an HTTP/1.1 request: %s", name, text[:min(len(text), 100)])
	}
	return e.judge(r.WithContext(e.p.ctx))
}

// value makes the request that the document's front end sends with the given certificate. A value
// of a header is used unchanged.
func (e *explainer) value(what, password string) (*explanation, error) {
	r, err := e.blank()
	if err != nil {
		return nil, err
	}
	name, own, renamed := frontEndOf(e.config.Source)
	found, err := e.p.certificates(what, password)
	if err != nil {
		text, ok := e.headerText(what)
		if own == "" || !ok {
			return nil, err
		}
		// In this case the answer is the source's refusal of the text.
		e.evidence(r)
		r.Header.Set(own, text)
		return e.judge(r)
	}
	text := own != "" && what != "-" && !strings.Contains(what, "\n") && !exists(what) && !hostPort.MatchString(what)
	if envoy, ok := e.config.Source.(forwarded.Envoy); name == "" || ok && envoy.Hops > 1 && !text {
		return e.direct(found.certs)
	}
	client := &certauthtest.Certificate{Certificate: found.certs[0]}
	var with []*certauthtest.CA
	for _, cert := range found.certs[1:] {
		with = append(with, &certauthtest.CA{Certificate: cert})
	}
	if err := safely(func(tb certauthtest.TB) {
		certauthtest.FrontEnd{Name: name, Headers: renamed}.Forward(tb, r, client, with...)
	}); err != nil {
		return nil, err
	}
	if text {
		if m := headerLine.FindStringSubmatch(what); m != nil {
			what = m[2]
		}
		r.Header.Set(own, strings.TrimSpace(what)) // in any form, because the form may be the mistake
	}
	e.notes = append(e.notes, "the request is one that "+name+" would send with this certificate, having verified it")
	return e.judge(r)
}

// headerText returns the value of a header, from the argument itself or from the file with that name,
// if no certificate can be read from it. It returns false if the text has several lines or looks like
// the name of a missing file.
func (e *explainer) headerText(what string) (text string, ok bool) {
	switch {
	case what == "-" || hostPort.MatchString(what):
		return "", false
	case exists(what):
		content, err := e.p.read(what)
		if err != nil {
			return "", false
		}
		what = string(content)
	case len(what) < 200 && filepath.Ext(what) != "" && !strings.ContainsAny(what, `=;,%" `):
		return "", false
	case len(what) < 200:
		e.notes = append(e.notes, quotedArgument(what)+" is not the name of a file; it is judged as the value of the header")
	}
	what = strings.TrimSpace(what)
	if m := headerLine.FindStringSubmatch(what); m != nil {
		what = m[2]
	}
	if what == "" || len(what) > http.DefaultMaxHeaderBytes || !utf8.ValidString(what) || strings.ContainsFunc(what, unicode.IsControl) {
		return "", false
	}
	return what, true
}

func exists(name string) bool {
	_, err := os.Stat(name)
	return err == nil
}

// direct judges certificates that arrive by TLS and not in a header.
func (e *explainer) direct(certs []*x509.Certificate) (*explanation, error) {
	e.given = certs
	e.config.Source = certauth.SourceFunc{Name: "given certificate", Func: func(*http.Request) ([]*x509.Certificate, error) { return certs, nil }}
	e.notes = append(e.notes, "the certificate is judged as if the source had read it")
	r, err := e.blank()
	if err != nil {
		return nil, err
	}
	return e.judge(r)
}

// presented returns the certificates in the request: first that of the source's header, then those of
// other headers, such as a chain. They are shown even if the source refuses the request.
func (e *explainer) presented(r *http.Request) []*x509.Certificate {
	_, own, _ := frontEndOf(e.config.Source)
	leaf, err := decodeText(strings.Join(r.Header.Values(own), ","))
	if own == "" || err != nil {
		return e.given
	}
	certs := leaf.certs
	for _, name := range slices.Sorted(maps.Keys(r.Header)) {
		if strings.EqualFold(name, own) {
			continue
		}
		if more, err := decodeText(strings.Join(r.Header.Values(name), ",")); err == nil {
			certs = append(certs, more.certs...)
		}
	}
	return certs
}

func sourceVerifies(source certauth.Source) bool {
	v := reflect.Indirect(reflect.ValueOf(source))
	if v.Kind() != reflect.Struct {
		return false
	}
	field := v.FieldByName("FrontEndVerifies")
	return field.IsValid() && field.Kind() == reflect.Bool && field.Bool()
}
