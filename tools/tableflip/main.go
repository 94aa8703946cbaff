// tableflip: what a Go server can do about reloads, for tools/bench.
//
// A plain net/http server that answers with 13 bytes, and a TCP echo beside it. On SIGHUP
// Cloudflare's tableflip starts the program again and gives the listening sockets to it; when the
// new process is ready, the old one lets go of them and has until the deadline to finish what it
// has: http.Server.Shutdown for HTTP, and nothing but waiting for the streams. tableflip allows
// the next upgrade when the old process is gone. SIGTERM ends the program in the same way.
//
// Built with Debian's golang-go and golang-github-cloudflare-tableflip-dev:
//
//	GO111MODULE=off GOPATH=/usr/share/gocode go build -o PROGRAM tools/tableflip/main.go
package main

import (
	"context"
	"flag"
	"log"
	"net"
	"net/http"
	"os"
	"os/signal"
	"sync"
	"syscall"
	"time"

	"github.com/cloudflare/tableflip"
)

var body = []byte("hello, world\n")

func hello(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Type", "text/plain")
	w.Write(body)
}

func echo(conn net.Conn) {
	defer conn.Close()
	data := make([]byte, 16384)
	for {
		n, err := conn.Read(data)
		if _, failed := conn.Write(data[:n]); err != nil || failed != nil {
			return
		}
	}
}

// serveEcho returns when the listener is closed.
func serveEcho(ln net.Listener, streams *sync.WaitGroup) {
	for {
		conn, err := ln.Accept()
		if err != nil {
			return
		}
		streams.Add(1)
		go func() {
			defer streams.Done()
			echo(conn)
		}()
	}
}

// upgrade waits for the process before this one, during which tableflip would refuse. That may
// know a moment later than WaitForParent does.
func upgrade(upg *tableflip.Upgrader) {
	upg.WaitForParent(context.Background())
	for tries := 0; tries < 10; tries++ {
		err := upg.Upgrade()
		if err == nil {
			return
		}
		log.Println("upgrade:", err)
		time.Sleep(50 * time.Millisecond)
	}
}

func onSignals(upg *tableflip.Upgrader) {
	hup := make(chan os.Signal, 1)
	term := make(chan os.Signal, 1)
	signal.Notify(hup, syscall.SIGHUP)
	signal.Notify(term, syscall.SIGTERM)
	go func() {
		<-term
		upg.Stop()
	}()
	for range hup {
		upgrade(upg)
	}
}

func main() {
	web := flag.String("http", "127.0.0.1:0", "`ADDRESS` of the HTTP server")
	raw := flag.String("echo", "127.0.0.1:0", "`ADDRESS` of the echo")
	pidFile := flag.String("pid-file", "", "`FILE` that names the process that accepts")
	deadline := flag.Duration("deadline", 5*time.Second, "for the old process, to finish")
	flag.Parse()

	upg, err := tableflip.New(tableflip.Options{PIDFile: *pidFile})
	if err != nil {
		log.Fatal(err)
	}
	go onSignals(upg)
	webListener, err := upg.Listen("tcp", *web)
	if err != nil {
		log.Fatal(err)
	}
	rawListener, err := upg.Listen("tcp", *raw)
	if err != nil {
		log.Fatal(err)
	}
	var streams sync.WaitGroup
	server := &http.Server{Handler: http.HandlerFunc(hello)}
	go server.Serve(webListener)
	go serveEcho(rawListener, &streams)
	if err := upg.Ready(); err != nil {
		log.Fatal(err)
	}
	<-upg.Exit()

	// First of all: os/exec makes the listening sockets blocking on their way to the new process
	// (O_NONBLOCK is shared), so that an accept may hang here, and Close with it.
	time.AfterFunc(*deadline, func() { os.Exit(1) })
	go rawListener.Close()
	server.Shutdown(context.Background())
	streams.Wait()
}
