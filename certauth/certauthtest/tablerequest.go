package certauthtest

import (
	"context"
	"crypto/x509"
	"fmt"
	"io"
	"net/http"
	"strings"
)

// wireRequest is a request with its templates filled in.
type wireRequest struct {
	sender, host                           string
	method, target, version, preface, body string
	lines, trailers                        [][2]string
	bare, announce, again                  bool
}

// defaultHost is the host of all requests that name no other.
const defaultHost = "app.example"

// render fills the templates in.
func (run *tableRun) render(a *attempt) (wireRequest, error) {
	run.tb.Helper()
	if a.Bare && run.direct {
		return wireRequest{}, leftOutError("HTTP/2 without TLS may be the server's own")
	}
	w := wireRequest{sender: a.Sender, host: run.test.Host, bare: a.Bare, announce: !a.Unannounced, again: a.NewConnection}
	lines, err := run.frontEndLines(a)
	if err != nil {
		return w, err
	}
	before, err := run.pairs(a.Before)
	if err != nil {
		return w, err
	}
	after, err := run.pairs(a.After)
	if err != nil {
		return w, err
	}
	w.lines = append(append(before, lines...), after...)
	if w.trailers, err = run.pairs(a.Trailers); err != nil {
		return w, err
	}
	w.method, w.version, w.preface = otherwise(a.Method, run.test.Method), a.Version, latin1(a.Preface)
	if w.target, err = run.text(a.Target); err != nil {
		return w, err
	}
	if w.body, err = run.text(a.Body); err == nil && a.Part != nil {
		err = run.putPart(&w, a.Part)
	}
	if w.body != "" && len(w.trailers) == 0 && !names(w.lines, "Content-Length") && !names(w.lines, "Transfer-Encoding") {
		w.lines = append(w.lines, [2]string{"Content-Length", fmt.Sprint(len(w.body))})
	}
	return w, err
}

// putPart makes the request one of which the other is a part.
func (run *tableRun) putPart(w *wireRequest, part *attempt) error {
	run.tb.Helper()
	if run.test.Batch == nil {
		return leftOutError("HandlerTest.Batch is not set")
	}
	inner, err := run.render(part)
	if err != nil {
		return err
	}
	var contentType string
	w.method = http.MethodPost
	w.target, contentType, w.body = run.test.Batch(inner.http1(false))
	w.lines = append(w.lines, [2]string{"Content-Type", contentType})
	return nil
}

// frontEndLines returns the headers that the front end itself writes into a request.
func (run *tableRun) frontEndLines(a *attempt) ([][2]string, error) {
	run.tb.Helper()
	if a.Sender == senderClient {
		return nil, nil
	}
	layout := *run.layout
	if a.Sender == senderStranger {
		layout.Evidence = nil
	}
	var certs []*x509.Certificate
	verdict := verdictNone
	if a.Forwarded != "none" {
		cert := run.certificate(a.Forwarded)
		if cert == nil {
			return nil, errNotMade(a.Forwarded)
		}
		if a.Forwarded == "samekey" && run.test.KeyPinned {
			return nil, leftOutError("a key is pinned, so names do not matter")
		}
		verdict, certs = verdictSuccess, append(certs, cert)
		switch {
		case a.Forwarded == "genuine" || a.Forwarded == "other":
			for _, ca := range run.test.With {
				certs = append(certs, ca.Certificate)
			}
		case run.test.FrontEndVerifies:
			verdict = verdictFailure
		}
	}
	lines, err := layout.lines(certs, otherwise(a.Flags, verdict))
	if err != nil {
		return nil, err
	}
	if a.Certificate != nil {
		value, err := run.text(*a.Certificate)
		if err != nil {
			return nil, err
		}
		if own, err := run.layout.value(certs...); err == nil && own == value {
			return nil, errSame
		}
		lines = replaced(lines, layout.Certificate.Header, value)
	}
	for _, template := range a.Without {
		name, err := run.text(template)
		if err != nil {
			return nil, err
		}
		if !names(lines, name) && !names(run.secretLines(a), name) {
			return nil, errSame
		}
		lines = removed(lines, name)
	}
	for _, line := range run.secretLines(a) {
		if !run.isLeftOut(a, line[0]) {
			lines = append(lines, line)
		}
	}
	return lines, nil
}

func (run *tableRun) isLeftOut(a *attempt, header string) bool {
	for _, template := range a.Without {
		if name, err := run.text(template); err == nil && strings.EqualFold(name, header) {
			return true
		}
	}
	return false
}

func (run *tableRun) secretLines(a *attempt) [][2]string {
	var lines [][2]string
	if a.Sender == senderFrontEnd {
		for name, values := range run.test.Secret {
			lines = append(lines, [2]string{name, values[0]})
		}
	}
	return lines
}

func (run *tableRun) pairs(templates [][2]string) ([][2]string, error) {
	run.tb.Helper()
	var lines [][2]string
	for _, template := range templates {
		if foldName(template[0]) == foldName(run.layout.Certificate.Header) {
			return nil, errSame // the row concerns headers other than the front end's own
		}
		var line [2]string
		for i, text := range template {
			filled, err := run.text(text)
			if err != nil {
				return nil, err
			}
			line[i] = filled
		}
		lines = append(lines, line)
	}
	return lines, nil
}

// foldName maps all spellings that some layers treat as the same name to one.
func foldName(name string) string {
	return strings.NewReplacer("_", "-", ".", "-").Replace(strings.ToLower(name))
}

func names(lines [][2]string, name string) bool {
	for _, line := range lines {
		if strings.EqualFold(line[0], name) {
			return true
		}
	}
	return false
}

func removed(lines [][2]string, name string) [][2]string {
	var kept [][2]string
	for _, line := range lines {
		if !strings.EqualFold(line[0], name) {
			kept = append(kept, line)
		}
	}
	return kept
}

func replaced(lines [][2]string, name, value string) [][2]string {
	return append([][2]string{{name, value}}, removed(lines, name)...)
}

// latin1 turns each character of a JSON string into a byte.
func latin1(text string) string {
	var b strings.Builder
	for _, c := range text {
		b.WriteByte(byte(c)) //nolint:gosec // a test of the file ensures that it fits
	}
	return b.String()
}

// http1 encodes the request for HTTP/1.
func (w wireRequest) http1(last bool) string {
	if w.bare {
		return w.preface
	}
	var b strings.Builder
	b.WriteString(w.preface + w.method + " " + w.target + " " + w.version + "\r\n")
	if !names(w.lines, "Host") {
		b.WriteString("Host: " + w.host + "\r\n")
	}
	for _, line := range w.lines {
		b.WriteString(line[0] + ": " + line[1] + "\r\n")
	}
	if last && !names(w.lines, "Connection") {
		b.WriteString("Connection: close\r\n")
	}
	if len(w.trailers) == 0 {
		return b.String() + "\r\n" + w.body
	}
	b.WriteString("Transfer-Encoding: chunked\r\n")
	if w.announce {
		for _, line := range w.trailers {
			b.WriteString("Trailer: " + line[0] + "\r\n")
		}
	}
	b.WriteString("\r\n4\r\nbody\r\n0\r\n")
	for _, line := range w.trailers {
		b.WriteString(line[0] + ": " + line[1] + "\r\n")
	}
	return b.String() + "\r\n"
}

// http2 returns the request for a client of package net/http.
func (w wireRequest) http2(ctx context.Context) (*http.Request, error) {
	var body io.Reader
	if w.body != "" || len(w.trailers) > 0 {
		body = strings.NewReader(otherwise(w.body, "body"))
	}
	r, err := http.NewRequestWithContext(ctx, w.method, "https://"+w.host+w.target, body)
	if err != nil {
		return nil, err
	}
	for _, line := range w.lines {
		r.Header[line[0]] = append(r.Header[line[0]], line[1])
	}
	if len(w.trailers) > 0 {
		r.ContentLength, r.Trailer = -1, http.Header{}
		for _, line := range w.trailers {
			r.Trailer.Add(line[0], line[1])
		}
	}
	return r, nil
}
