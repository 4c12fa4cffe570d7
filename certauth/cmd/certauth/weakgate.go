package main

import (
	"fmt"
	"net/netip"
	"reflect"
	"slices"

	"github.com/seed2886b8ae/go-certauth/certauth"
	"github.com/seed2886b8ae/go-certauth/certauth/forwarded"
)

// source finds what is weak about a source and its gate.
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
	if field := v.FieldByName("From"); field.IsValid() {
		if from, ok := field.Interface().(forwarded.Gate); ok {
			w.gate(from, "Source.From")
		}
	}
}

var (
	addressGate = reflect.TypeOf(forwarded.InsecureRemoteAddr())
	anybodyGate = reflect.TypeOf(forwarded.InsecureAnyPeer())
)

// gate examines a gate and everything that it consists of, which for a shared secret is nothing.
func (w *weak) gate(gate forwarded.Gate, path string) {
	v := reflect.ValueOf(gate)
	switch v.Type() {
	case addressGate:
		w.warn(sendersPath, "insecureRemoteAddr: middleware or a PROXY header may have written the address")
	case anybodyGate:
		w.warn(sendersPath, "insecureAnyPeer: whoever reaches the port can be any client")
	}
	if v.Kind() == reflect.Slice { // a list of networks
		for i := range v.Len() {
			w.network(v.Index(i).String())
		}
	}
	composed, ok := gate.(interface{ Parts() (string, []any) })
	if !ok {
		return
	}
	name, parts := composed.Parts()
	var senders []warning
	strong := false // one of the parts has no warning about senders
	for i, part := range parts {
		place := path + "." + name
		if len(parts) > 1 {
			place += fmt.Sprintf("[%d]", i)
		}
		own := &weak{doc: w.doc, now: w.now, asked: w.asked}
		switch part := part.(type) {
		case forwarded.Gate:
			own.gate(part, place)
		case certauth.Policy:
			own.policy(part, place+".Policy")
		}
		others := slices.DeleteFunc(slices.Clone(own.found), func(one warning) bool { return one.Path == sendersPath })
		own.found = slices.DeleteFunc(own.found, func(one warning) bool { return one.Path != sendersPath })
		w.found, senders = append(w.found, others...), append(senders, own.found...)
		strong = strong || len(own.found) == 0
	}
	if name == "EveryGate" && strong {
		return // a sender must be admitted by that part too
	}
	w.found = append(w.found, senders...)
}

// sendersPath is the path of warnings about the senders whom a gate admits.
const sendersPath = "Source.From"

func (w *weak) network(text string) {
	network, err := netip.ParsePrefix(text)
	if err == nil && (network.Bits() < 16 || network.Addr().Is6() && network.Bits() < 48) {
		w.warn(sendersPath, "%s is very wide: whoever has an address in it can be any client", network)
	}
}
