//go:build linux

package main

import (
	"encoding/base64"
	"fmt"
	"io"
	"math/big"
	"net"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"

	"golang.org/x/crypto/ocsp"

	"github.com/seed2886b8ae/go-certauth/internal/ocsptest"
)

// question is a request for one piece of evidence.
type question struct {
	of     *authority
	kind   string // ocsp, crl or delta
	id     ocsptest.CertID
	serial *big.Int
}

// misbehaviour answers instead of an authority.
type misbehaviour func(w http.ResponseWriter, r *http.Request, q question)

// site is the server behind nginx: the responders and lists of every authority.
type site struct {
	authorities map[string]*authority // by name
	stranger    *authority

	mu     sync.Mutex
	faults map[string]misbehaviour // by partner and kind
}

func faultKey(partner int, kind string) string { return fmt.Sprint(partner, kind) }

func (s *site) set(partner int, kind string, f misbehaviour) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if f == nil {
		delete(s.faults, faultKey(partner, kind))
		return
	}
	s.faults[faultKey(partner, kind)] = f
}

func (s *site) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	host, _, _ := strings.Cut(r.Host, ":")
	kind, rest, _ := strings.Cut(strings.TrimSuffix(host, domain), ".")
	q := question{of: s.authorities[rest], kind: kind}
	if q.of == nil {
		http.NotFound(w, r)
		return
	}
	switch {
	case kind == "ocsp" && !q.read(r):
		http.Error(w, "no OCSP request", http.StatusBadRequest)
		return
	case kind == "crl" && r.URL.Path == "/delta.crl":
		q.kind = "delta"
	}
	s.mu.Lock()
	fault := s.faults[faultKey(q.of.partner, q.kind)]
	s.mu.Unlock()
	if fault != nil {
		fault(w, r, q)
		return
	}
	honest(w, r, q)
}

// read reads an OCSP request from a GET or a POST.
func (q *question) read(r *http.Request) bool {
	der, err := io.ReadAll(io.LimitReader(r.Body, 1<<16))
	if r.Method == http.MethodGet {
		text, escapeErr := url.PathUnescape(strings.TrimPrefix(r.URL.EscapedPath(), "/"))
		if escapeErr != nil {
			return false
		}
		der, err = base64.StdEncoding.DecodeString(text)
	}
	if err != nil {
		return false
	}
	request, err := ocsp.ParseRequest(der)
	if err != nil {
		return false
	}
	q.serial = request.SerialNumber
	q.id = ocsptest.IDOf(request.HashAlgorithm, q.of.cert, request.SerialNumber)
	return true
}

// honest gives the correct answer.
func honest(w http.ResponseWriter, _ *http.Request, q question) { write(w, q.body(edition{})) }

// body returns the requested evidence in some edition.
func (q *question) body(as edition) []byte {
	switch {
	case q.kind == "ocsp":
		return q.of.answer(q.id, q.serial, as)
	case q.kind == "delta":
		return q.of.delta(as)
	case as == edition{}:
		return q.of.base().der
	}
	if as.life == 0 {
		as.life = listLife
	}
	return q.of.forged(as)
}

func write(w http.ResponseWriter, body []byte) {
	w.Header().Set("Content-Length", fmt.Sprint(len(body)))
	_, _ = w.Write(body) // the client may be gone
}

func status(code int, header ...string) misbehaviour {
	return func(w http.ResponseWriter, _ *http.Request, _ question) {
		if len(header) == 2 {
			w.Header().Set(header[0], header[1])
		}
		http.Error(w, http.StatusText(code), code)
	}
}

// made returns evidence in another edition.
func made(as edition) misbehaviour {
	return func(w http.ResponseWriter, _ *http.Request, q question) { write(w, q.body(as)) }
}

func garbage(w http.ResponseWriter, _ *http.Request, _ question) {
	write(w, []byte(strings.Repeat("\x30\x82garbage", 100)))
}

// hang sends nothing until the caller gives up.
func hang(_ http.ResponseWriter, r *http.Request, _ question) {
	select {
	case <-r.Context().Done():
	case <-time.After(time.Minute):
	}
}

// slow answers late, but within the limits.
func slow(w http.ResponseWriter, r *http.Request, q question) {
	select {
	case <-r.Context().Done():
	case <-time.After(600 * time.Millisecond):
		honest(w, r, q)
	}
}

// drip starts its answer at once and never finishes it.
func drip(w http.ResponseWriter, r *http.Request, q question) {
	body := q.body(edition{})
	w.Header().Set("Content-Length", fmt.Sprint(len(body)))
	for i := range body {
		if _, err := w.Write(body[i : i+1]); err != nil {
			return
		}
		if err := http.NewResponseController(w).Flush(); err != nil {
			return
		}
		select {
		case <-r.Context().Done():
			return
		case <-time.After(300 * time.Millisecond):
		}
	}
}

// cut ends the connection in the middle of the body, with a reset if it is rude.
func cut(rude bool) misbehaviour {
	return func(w http.ResponseWriter, _ *http.Request, q question) {
		body := q.body(edition{})
		conn, buffered, err := http.NewResponseController(w).Hijack()
		if err != nil {
			http.Error(w, "", http.StatusInternalServerError)
			return
		}
		defer conn.Close()
		_, _ = fmt.Fprintf(buffered, "HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n", len(body))
		_, _ = buffered.Write(body[:len(body)/2])
		_ = buffered.Flush()
		if tcp, ok := conn.(*net.TCPConn); ok && rude {
			_ = tcp.SetLinger(0)
		}
	}
}

// halved sends a truncated body with a matching length.
func halved(w http.ResponseWriter, _ *http.Request, q question) {
	body := q.body(edition{})
	write(w, body[:len(body)/2])
}

// tooBig sends more than any limit permits.
func tooBig(w http.ResponseWriter, _ *http.Request, _ question) {
	piece := make([]byte, 64<<10)
	for range (maxListBytes + 1<<20) / len(piece) {
		if _, err := w.Write(piece); err != nil {
			return
		}
	}
}

// replay sends evidence that is no longer current.
func replay(w http.ResponseWriter, r *http.Request, q question) {
	var body []byte
	if q.kind == "ocsp" {
		body = q.of.replayed(q.serial)
	} else {
		body = q.of.oldBase().der
	}
	if body == nil {
		honest(w, r, q)
		return
	}
	write(w, body)
}

// refusal sends an OCSPResponseStatus without an answer (RFC 6960, section 4.2.1).
func refusal(code byte) misbehaviour {
	return func(w http.ResponseWriter, _ *http.Request, _ question) {
		der, err := ocsptest.Response{Status: code, WithoutBytes: true}.Encode()
		must(err)
		write(w, der)
	}
}
