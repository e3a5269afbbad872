#!/bin/sh
# deb_boot.sh ROOT: boot systemd in namespaces of its own, with the folder ROOT
# (where the package is installed) as its root, and try the unit there: the
# autopkgtest, a reload that fails, an engine that hangs, sockets for low ports,
# credentials.  As root; says "not here" and exits 77 where that can't be had.
set -eu

root=$1
log=$root/root/boot.log
limit=120

grep -qw cgroup2 /proc/filesystems || { echo "not here: no cgroup2"; exit 77; }

cat >"$root/etc/systemd/system/try.service" <<'EOF'
[Unit]
After=ws-gatewayd.service
[Service]
Type=oneshot
StandardOutput=append:/root/boot.log
StandardError=append:/root/boot.log
ExecStart=/bin/sh -x /root/try
ExecStopPost=/bin/sh -c "echo result: $SERVICE_RESULT >>/root/boot.log"
[Install]
WantedBy=multi-user.target
EOF
mkdir -p "$root/etc/systemd/system/multi-user.target.wants"
ln -sf ../try.service "$root/etc/systemd/system/multi-user.target.wants/"

cat >"$root/root/try" <<'EOF'
set -eu
unit=ws-gatewayd.service
show() { systemctl show -P "$1" $unit; }

systemctl is-active $unit
show StatusText | grep '0 players, 0 connections, 0 messages queued'
/root/publish

# A configuration that is not taken fails the reload and changes nothing.
systemctl start $unit
pid=$(show MainPID)
cp -p /etc/ws-gatewayd.conf /root/good.conf
echo nonsense >>/etc/ws-gatewayd.conf
if systemctl reload $unit; then exit 1; fi
cp -p /root/good.conf /etc/ws-gatewayd.conf
systemctl reload $unit
[ "$(show MainPID)" = "$pid" ]

# The watchdog is about the engine.
mkdir -p /run/systemd/system/$unit.d
printf '[Service]\nWatchdogSec=2\nRestartSec=1\n' \
    >/run/systemd/system/$unit.d/short.conf
systemctl daemon-reload
systemctl restart $unit
for child in $(cat "/proc/$(show MainPID)/task/$(show MainPID)/children"); do
	if grep -q 'engine' "/proc/$child/cmdline"; then
		kill -STOP "$child"
	fi
done
n=0
until [ "$(show NRestarts)" = 1 ] && systemctl is-active -q $unit; do
	sleep 1
	n=$((n + 1))
	[ $n -lt 30 ]
done

# Sockets have the ports; the configuration says what they are for.
printf secret >/etc/ws-gatewayd/secrets/db
systemctl stop $unit
sed -i 's/^listen on ":8080"/listen on "socket:player"/
    s/^listen on "127.0.0.1:8081"/listen on "socket:publish+metrics"/' \
    /etc/ws-gatewayd.conf
systemctl start ws-gatewayd.socket ws-gatewayd-local.socket
[ "$(curl -sS -o /dev/null -w '%{http_code}' http://127.0.0.1/ws)" = 401 ]
[ "$(curl -sS -o /dev/null -w '%{http_code}' http://127.0.0.1/metrics)" = 404 ]
curl -fsS http://127.0.0.1:8081/metrics | grep -q '^ws_active_connections 0'

# What only root can read, for the daemon.
secret=/proc/$(show MainPID)/root/run/credentials/$unit/secret_db
[ "$(cat "$secret")" = secret ]
[ "$(stat -c '%U %a' "$secret")" = "_wsgateway 400" ]
grep '^CapBnd:.*0000000000000000$' "/proc/$(show MainPID)/status"
systemctl stop ws-gatewayd.socket ws-gatewayd-local.socket $unit
[ "$(show Result)" = success ]
EOF

# The first process in there; the folder may not be seen through what is below.
cat >"$root/root/init" <<'EOF'
umask 022
mount --make-rprivate /
mount --bind "$1" "$1"
cd "$1"
mount -t proc proc proc
mount -t sysfs sysfs sys
mount -t cgroup2 cgroup2 sys/fs/cgroup
mount -t tmpfs -o mode=755 tmpfs run
mount -t tmpfs -o mode=755 tmpfs dev
for d in null zero full random urandom tty; do
	touch dev/$d
	mount --bind /dev/$d dev/$d
done
mkdir dev/pts dev/shm
mount -t devpts -o newinstance,ptmxmode=0666 devpts dev/pts
mount -t tmpfs tmpfs dev/shm
ln -s pts/ptmx dev/ptmx
ln -s /proc/self/fd dev/fd
# The loopback interface, up.
chroot . python3 -c 'import socket, fcntl, struct
fcntl.ioctl(socket.socket(), 0x8914, struct.pack("16sH14x", b"lo", 0x49))'
mkdir -p mnt
pivot_root . mnt
umount -l /mnt
mount --make-rshared /
exec env -i container=other PATH=/usr/sbin:/usr/bin:/sbin:/bin \
    /lib/systemd/systemd --show-status=0 --unit=multi-user.target
EOF

rm -f "$log"
unshare --mount --pid --fork --kill-child --uts --ipc --net --cgroup \
    sh "$root/root/init" "$root" >"$root/root/init.log" 2>&1 &
pid=$!
trap 'kill -9 $pid 2>/dev/null || true' EXIT
trap 'exit 1' HUP INT TERM
n=0
until grep -q '^result: ' "$log" 2>/dev/null; do
	sleep 1
	n=$((n + 1))
	if [ $n -ge $limit ] || ! kill -0 $pid 2>/dev/null; then
		break
	fi
done
if [ ! -e "$log" ]; then
	echo "not here:"
	cat "$root/root/init.log"
	exit 77
fi
if ! grep -qx 'result: success' "$log"; then
	cat "$log"
	exit 1
fi
echo "systemd runs it: ready, reload, watchdog, sockets, credentials"
