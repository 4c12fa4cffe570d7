package certauthtest

import (
	_ "embed"
	"encoding/json"
	"sync"
)

//go:embed forged.json
var forgedJSON []byte

// forgedFile is forged.json; FORGED.md documents it.
type forgedFile struct {
	FrontEnds []layout `json:"front_ends"`
	Rows      []row    `json:"rows"`
}

// row is one forged request or sequence of requests.
type row struct {
	Name       string    `json:"name"`
	Why        string    `json:"why"`
	Origin     []string  `json:"origin"`
	For        []string  `json:"for"`
	Except     []string  `json:"except"`
	Sender     string    `json:"sender"`
	Transport  string    `json:"transport"`
	Pipelined  bool      `json:"pipelined"`
	Concurrent int       `json:"concurrent"`
	Requests   []attempt `json:"requests"`
}

// attempt is one request of a row. Its strings are templates.
type attempt struct {
	Sender        string      `json:"sender"`
	Forwarded     string      `json:"forwarded"`
	Certificate   *string     `json:"certificate"`
	Flags         string      `json:"flags"`
	Without       []string    `json:"without"`
	Before        [][2]string `json:"before"`
	After         [][2]string `json:"after"`
	Method        string      `json:"method"`
	Target        string      `json:"target"`
	Version       string      `json:"version"`
	Preface       string      `json:"preface"`
	Bare          bool        `json:"bare"`
	Body          string      `json:"body"`
	Trailers      [][2]string `json:"trailers"`
	Unannounced   bool        `json:"unannounced"`
	NewConnection bool        `json:"new_connection"`
	Part          *attempt    `json:"part"`
	Expect        string      `json:"expect"`
}

// Constants of forged.json.
const (
	senderFrontEnd, senderStranger = "front end", "stranger"
	senderClient                   = "client" // not in the file: HandlerTest.Client, outside
	transportHTTP1, transportHTTP2 = "http1", "http2"
	expectRefused, expectAccepted  = "refused", "accepted"
	expectHarmless                 = "harmless" // anything but the content for clients
	expectAnother                  = "another"  // anything but the content for HandlerTest.Client
	wordTunnels                    = "tunnels"  // in "for": see HandlerTest.Tunnels
)

// forged reads the embedded file, which the tests of this package check.
var forged = sync.OnceValue(func() *forgedFile {
	file := new(forgedFile)
	if err := json.Unmarshal(forgedJSON, file); err != nil {
		panic("certauthtest: forged.json: " + err.Error())
	}
	for i := range file.Rows {
		row := &file.Rows[i]
		row.Sender = otherwise(row.Sender, senderFrontEnd)
		row.Transport = otherwise(row.Transport, transportHTTP1)
		for j := range row.Requests {
			row.Requests[j].setDefaults(row.Sender)
		}
	}
	return file
})

func (a *attempt) setDefaults(sender string) {
	a.Sender = otherwise(a.Sender, sender)
	a.Expect = otherwise(a.Expect, expectRefused)
	a.Target = otherwise(a.Target, "{path}")
	a.Version = otherwise(a.Version, "HTTP/1.1")
	if a.Forwarded == "" {
		a.Forwarded = "none"
		if a.Certificate != nil {
			a.Forwarded = "genuine"
		}
	}
	if a.Part != nil {
		a.Part.setDefaults(a.Sender)
	}
}

func otherwise(text, fallback string) string {
	if text == "" {
		return fallback
	}
	return text
}
