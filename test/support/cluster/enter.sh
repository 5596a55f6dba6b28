# The first process of a machine of its own: mounts, network and processes that nobody outside sees, and that are gone
# with it. Arguments: its directory, the root to begin with, and directories to show as /NAME: NAME=DIRECTORY.
set -e
work=$1
lower=$2
shift 2
mount --make-rprivate /
mkdir -p "$work/root" "$work/changes" "$work/overlay" "$work/data"
mount -t overlay overlay -o "lowerdir=$lower,upperdir=$work/changes,workdir=$work/overlay" "$work/root"
cd "$work/root"
mkdir -p data old run tmp proc sys dev etc/cni/net.d etc/containers var/tmp var/log
mount -t proc proc proc
mount -t sysfs sysfs sys
mount --rbind /sys/fs/cgroup sys/fs/cgroup
# Devices of its own: what is removed or replaced in there is not this machine's.
mount -t tmpfs -o mode=755 tmpfs dev
while read -r name minor; do mknod -m 666 "dev/$name" c 1 "$minor"; done <<< $'null 3\nzero 5\nfull 7\nrandom 8\nurandom 9\nkmsg 11'
mknod -m 666 dev/tty c 5 0
mkdir dev/pts dev/shm
mount -t devpts -o newinstance,ptmxmode=0666,mode=620 devpts dev/pts
mount -t tmpfs tmpfs dev/shm
ln -s pts/ptmx dev/ptmx
ln -s /proc/self/fd dev/fd
ln -s fd/0 dev/stdin
ln -s fd/1 dev/stdout
ln -s fd/2 dev/stderr
mount -t tmpfs tmpfs run
mount -t tmpfs tmpfs tmp
mount --bind "$work/data" data
for shown in "$@"; do
  mkdir -p "${shown%%=*}"
  mount --bind "${shown#*=}" "${shown%%=*}"
done
pivot_root . old
cd /
export PATH=/usr/sbin:/usr/bin:/sbin:/bin
hash -r
umount -l old
# The kubelet's mounts have to reach the containers.
mount --make-rshared /
ip link set lo up
ip link add cni0 type bridge
ip addr add 10.244.0.1/24 dev cni0
ip link set cni0 up
echo 1 > /proc/sys/net/ipv4/ip_forward
echo ready
exec tini-static -- sleep infinity
